//! The benchmark against Debian: boots, measured figures and the page that states them.

pub mod comparator;
pub mod figures;
pub mod measure;
