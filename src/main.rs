//! The nix-census command.

fn main() {}
