//! Tests of the whole room against loopback servers.
