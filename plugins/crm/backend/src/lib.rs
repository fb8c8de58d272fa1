//! Backend of the CRM plugin: accounts (companies) and customers (people, each at one account).

pub mod accounts;
pub mod customers;

#[cfg(test)]
mod tests;
