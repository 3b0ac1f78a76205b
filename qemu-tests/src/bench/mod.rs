//! The benchmark against Debian: boots, measured figures and the page that states them.

pub mod debian_baseline;
pub mod figures;
pub mod measure;
