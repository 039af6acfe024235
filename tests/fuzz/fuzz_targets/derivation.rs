//! Derivations: any bytes give inputs and hashes or nothing.
#![no_main]
use libfuzzer_sys::fuzz_target;
use nix_census::internals::{derivation_inputs, derivation_outputs};

fuzz_target!(|bytes: &[u8]| {
    let inputs = derivation_inputs(bytes);
    // It may name itself as an input.
    let outputs = derivation_outputs(b"/nix/store/x.drv", &|_| Some(bytes.to_vec()));
    assert!(outputs.is_none() || inputs.is_some());
});
