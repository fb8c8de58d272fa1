//! Backend of the healthcare plugin: patient records and the facilities that they belong to.

pub mod facilities;
pub mod records;

#[cfg(test)]
mod tests;
