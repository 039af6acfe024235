# As nixpkgs would take it: `callPackage ./package.nix { }`.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
  buildPackages,
}:

rustPlatform.buildRustPackage {
  pname = "nix-census";
  version = (lib.importTOML ./Cargo.toml).package.version;

  src = lib.fileset.toSource {
    root = ./.;
    fileset = lib.fileset.unions [
      ./Cargo.toml
      ./Cargo.lock
      ./README.md
      ./LICENSE
      ./src
      ./benches
      ./tests
      ./testdata
    ];
  };

  cargoLock.lockFile = ./Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # The integration tests look for a Nix store, and the sandbox has none.
  cargoTestFlags = [ "--lib" ];

  # The program prints its own completions and man pages; where it cannot run,
  # as in a cross build, the machine that builds may be able to emulate it.
  postInstall =
    let
      emulator = stdenv.hostPlatform.emulator buildPackages;
    in
    lib.optionalString (stdenv.hostPlatform.emulatorAvailable buildPackages) ''
      for shell in bash zsh fish nushell elvish; do
        ${emulator} $out/bin/nix-census generate completions $shell >nix-census.$shell
      done
      installShellCompletion --cmd nix-census \
        --bash nix-census.bash --zsh nix-census.zsh --fish nix-census.fish
      install -Dm644 nix-census.nushell $out/share/nushell/vendor/autoload/nix-census.nu
      install -Dm644 nix-census.elvish $out/share/elvish/lib/nix-census.elv
      ${emulator} $out/bin/nix-census generate man man
      installManPage man/*.1
    '';

  meta = {
    description = "Find out what is in a Nix store, what it costs on disk, and what keeps it there";
    license = lib.licenses.mit;
    mainProgram = "nix-census";
    platforms = lib.platforms.unix;
  };
}
