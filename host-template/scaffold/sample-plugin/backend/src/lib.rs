//! Backend of the plugin: one module for each router that `plugin.yaml` names.

pub mod items;

#[cfg(test)]
mod tests;
