# A small store with shared contents, several outputs and chains of paths, for
# the tests of roots and garbage. `hold` is a build that waits for a file.
let
  make = name: attributes: script:
    derivation ({
      inherit name;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
      args = [ "-euc" script ];
    } // attributes);

  # Contents that other paths have too, and two names of one inode.
  fill = name: ''
    mkdir -p "$out/share"
    i=0; while [ $i -lt 5 ]; do echo "common $i" > "$out/share/common-$i"; i=$((i+1)); done
    yes common | head -c 70000 > "$out/share/large"
    yes ${name} | head -c 20000 > "$out/share/own"
    ln "$out/share/own" "$out/share/own-again"
    ln -s own "$out/share/link"
  '';

  lib = make "lib-1.0" { outputs = [ "out" "dev" ]; } ''
    ${fill "lib"}
    mkdir "$dev"; echo "$out" > "$dev/out"; yes header | head -c 9000 > "$dev/header"
  '';
  fixed = make "fixed-1.0" {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed\n";
  } ''echo fixed > "$out"'';
  tool = n: make "tool-${n}" { } ''
    ${fill "tool"}
    echo ${lib} > "$out/lib"; echo ${n} > "$out/n"
  '';
  app = n: make "app-${n}" { } ''
    ${fill "app-${n}"}
    echo ${tool "common"} ${tool n} ${fixed} > "$out/uses"
  '';
in
{
  generations = map app [ "1" "2" "3" "4" ];
  other = app "other";
  inherit lib;
  solo = make "solo" { } (fill "solo");
  dead = make "dead" { } ''
    ${fill "dead"}
    echo ${tool "dead"} > "$out/uses"
  '';
  hold = file: make "hold" { } ''
    ${fill "hold"}
    i=0
    while [ ! -e ${file} ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
  '';
}
