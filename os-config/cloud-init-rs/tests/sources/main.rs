//! Asking over the network, against services on loopback that the tests make up.

mod http;
mod mock;
mod services;
