//! The briq command line.

fn main() {}
