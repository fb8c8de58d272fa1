//! Backend of the healthcare plugin: patient records and the facilities that they belong to.

use hub::permission;

pub mod facilities;
pub mod records;

permission!(Read = "healthcare.read", Write = "healthcare.write");

#[cfg(test)]
mod tests;
