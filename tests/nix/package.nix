# The package and the flake of the sources, evaluated with stubs in place of nixpkgs.
{ sources }:
let
  lib = {
    importTOML = file: builtins.fromTOML (builtins.readFile file);
    fileset = {
      unions = map (file: assert builtins.pathExists file; baseNameOf (toString file));
      toSource = { root, fileset }: fileset;
    };
    optionalString = condition: text: if condition then text else "";
    optionalAttrs = condition: set: if condition then set else { };
    licenses.mit = "MIT";
    platforms.unix = [ "x86_64-linux" ];
    getExe = package: "/${package.pname}/bin/${package.meta.mainProgram}";
    genAttrs =
      names: value:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = value name;
        }) names
      );
  };
  pkgsOf =
    system:
    let
      pkgs = {
        inherit lib;
        stdenv.hostPlatform = {
          inherit system;
          isLinux = true;
          emulator = _: "run";
          emulatorAvailable = _: true;
        };
        buildPackages = { };
        installShellFiles = "installShellFiles";
        rustPlatform.buildRustPackage =
          args:
          assert builtins.pathExists args.cargoLock.lockFile;
          args // { cargoLock = "Cargo.lock"; };
        callPackage =
          file: given:
          let
            package = import file;
          in
          package (builtins.intersectAttrs (builtins.functionArgs package) pkgs // given);
        pkgsStatic = pkgs;
        runCommand = name: args: script: { inherit name script; };
        mkShell = args: args;
        cargo-deny = "cargo-deny";
        clippy = "clippy";
        rust-analyzer = "rust-analyzer";
        rustfmt = "rustfmt";
        nixfmt-rfc-style = "nixfmt";
      };
    in
    pkgs;
  flake = import (sources + "/flake.nix");
  self = flake.outputs {
    inherit self;
    nixpkgs = {
      inherit lib;
      legacyPackages = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ] pkgsOf;
    };
  };
in
{
  package = (pkgsOf "x86_64-linux").callPackage (sources + "/package.nix") { };
  overlay = builtins.attrNames (self.overlays.default (pkgsOf "x86_64-linux") { });
  outputs = removeAttrs self [ "overlays" ];
}
