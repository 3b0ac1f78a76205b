//! Data sources over the network, against mocks of their services on loopback.

mod addresses;
mod attribute_trees;
mod azure;
mod detection;
mod documents;
mod failures;
mod http;
mod mock;
mod query;
