//! The benchmark against Debian: boots, measured figures and the page that states them. Beside it the cost of a boot in
//! instructions.

pub mod boot_cost;
pub mod debian_baseline;
pub mod figures;
pub mod measure;
