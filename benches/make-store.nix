# One derivation a Debian package: its files unpacked, its documentation an output of
# its own, and a file that names the packages it depends on, so that Nix's scan finds
# references as it does in any store. See make-store.sh.
{ list, sh ? "/bin/sh" }:
let
  packages = import list;
  byName = builtins.listToAttrs (map (p: { name = p.name; value = p; }) packages);

  generation = salt:
    let
      built = builtins.mapAttrs (_: make) byName;
      make = p: derivation ({
        name = "${p.name}-${p.version}";
        system = builtins.currentSystem;
        builder = sh;
        outputs = [ "out" "doc" ];
        PATH = "/usr/bin:/bin";
        LC_ALL = "C";
        deb = "/debs/${p.deb}";
        dependencies = map (name: built.${name}) p.dependencies;
        args = [ "-euc" ''
          mkdir -p "$out/nix-support" "$doc/share"
          dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner --no-same-permissions -C "$out"
          if [ -e "$out/usr/share/doc" ]; then mv "$out/usr/share/doc" "$doc/share/doc"; fi
          echo "$dependencies" > "$out/nix-support/dependencies"
        '' ];
      } // (if salt ? ${p.name} then { salt = salt.${p.name}; } else { }));
    in
    derivation {
      name = "system";
      system = builtins.currentSystem;
      builder = sh;
      PATH = "/usr/bin:/bin";
      paths = map (p: p.out) (builtins.attrValues built);
      docs = map (p: p.doc) (builtins.attrValues built);
      # Too long for an environment variable.
      passAsFile = [ "paths" "docs" ];
      args = [ "-euc" ''mkdir "$out"; cp "$pathsPath" "$out/paths"; cp "$docsPath" "$out/docs"'' ];
    };
in
{
  # A second generation after one library changed: everything above it is built again,
  # with mostly the same contents, as after any update.
  first = generation { };
  second = generation { "libpython3.11-minimal" = "2"; "libperl5.36" = "2"; };
}
