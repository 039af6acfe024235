# A small store of varied shape, built by real Nix from nothing but /bin/sh.
#
# Raw derivations only: no nixpkgs, no network. Every attribute is one shape
# that a census must get right; `late` is what is built after a first
# `nix-store --optimise`, and `generations` are what profiles point at.
let
  path = "/usr/bin:/bin:/usr/sbin:/sbin";

  make = name: attributes: script:
    derivation ({
      inherit name;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = path;
      args = [ "-euc" ("export LC_ALL=C; " + script) ];
    } // attributes);

  # The same few contents under every path that calls for them.
  common = ''
    mkdir -p "$out/share"
    i=0; while [ $i -lt 20 ]; do
      printf 'common content %s\n' $i > "$out/share/common-$i"; i=$((i+1))
    done
    yes 'a file of some size' | head -c 100000 > "$out/share/common-large"
  '';

  text = builtins.toFile "note.txt" "a text file\n";
  source = builtins.path { path = ./src; name = "source"; };

  fixedFlat = make "fixed-flat-1.0" {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed and flat\n";
  } ''printf 'fixed and flat\n' > "$out"'';

  fixedRecursive = make "fixed-recursive-1.0" {
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    # nix-hash --type sha256 --base32 of a directory holding `f`, "fixed\n".
    outputHash = "135dmhgql2pbpqb9gldbbjjfzmm64nxdv20ap1d9l9nr7hdhy1hh";
  } ''mkdir "$out"; printf 'fixed\n' > "$out/f"'';

  hardLinks = make "hard-links-1.0" { } ''
    mkdir -p "$out/libexec/git-core" "$out/bin"
    yes git | head -c 70000 > "$out/bin/git"; chmod +x "$out/bin/git"
    i=0; while [ $i -lt 40 ]; do
      ln "$out/bin/git" "$out/libexec/git-core/git-$i"; i=$((i+1))
    done
    printf x > "$out/one"; ln "$out/one" "$out/two"; ln "$out/one" "$out/bin/three"
    printf x > "$out/another"
  '';

  symlinks = make "symlinks-1.0" { inherit hardLinks text; } ''
    mkdir -p "$out/dir/inner" "$out/many"
    printf a > "$out/dir/file"
    ln -s nowhere "$out/dangling"; ln -s /nowhere/at/all "$out/dangling-absolute"
    ln -s dir "$out/to-dir"; ln -s ../../.. "$out/dir/inner/up"
    ln -s "$hardLinks/bin/git" "$out/git"; ln -s "$text" "$out/note"
    ln -s self "$out/self"; ln -s . "$out/here"
    ln -s $(printf '%0300d' 7) "$out/long-target"
    i=0; while [ $i -lt 20 ]; do ln -s ../dir/file "$out/many/$i"; i=$((i+1)); done
  '';

  files = make "files-2.0" { } ''
    mkdir -p "$out/empty-dir" "$out/empty-files"
    i=0; while [ $i -lt 30 ]; do : > "$out/empty-files/$i"; i=$((i+1)); done
    : > "$out/empty-files/executable"; chmod +x "$out/empty-files/executable"
    printf 'same content\n' > "$out/plain"
    printf 'same content\n' > "$out/executable"; chmod 755 "$out/executable"
    printf 'same content\n' > "$out/other-modes"; chmod 640 "$out/other-modes"
    n=1; z=; while [ $n -le 17 ]; do z=z$z; printf $z > "$out/bytes-$n"; n=$((n+1)); done
    n=4095; while [ $n -le 4097 ]; do head -c $n /dev/zero | tr '\0' z > "$out/bytes-$n"; n=$((n+1)); done
  '';

  names = make "names-1.0" { } ''
    mkdir -p "$out"; cd "$out"
    : > 'größe-日本語'; mkdir 'каталог'; printf 1 > 'каталог/файл'
    printf 2 > "$(printf 'latin1-\351')"; mkdir "$(printf 'bytes-\377\376')"
    printf 3 > "$(printf 'bytes-\377\376/\200')"
    printf 4 > "$(printf 'esc-\033[31mred')"; printf 5 > "$(printf 'new\nline')"
    printf 6 > ' leading and trailing '; printf 7 > '-dash'; printf 8 > '*?[a]'
    printf 9 > "quote'and\"double"; printf a > 'a,b;c'; printf b > '=formula'
    printf c > '.hidden'; printf d > "$(printf '%0254d' 1)"
    printf e > A; printf e > a; printf e > 'a.b'; printf e > 'a0'
  '';

  big = make "big-1.0" { inherit files; } ''
    mkdir "$out"; yes 'this is a big file' | head -c 12000000 > "$out/big"
    echo "$files" > "$out/tiny"
  '';

  sparse = make "sparse-1.0" { } ''
    mkdir "$out"; truncate -s 9000000 "$out/all-hole"
    truncate -s 5000000 "$out/tail"; printf end >> "$out/tail"
    printf begin > "$out/head"; truncate -s 3000001 "$out/head"
  '';

  deep = make "deep-1.0" { } ''
    mkdir "$out"; cd "$out" # Nix 2.34 allows 64 directories in a NAR
    i=0; dir=.; while [ $i -lt 60 ]; do dir=$dir/d$i; i=$((i+1)); done
    mkdir -p "$dir"
    i=0; while [ $i -lt 60 ]; do cd d$i; printf $i > f; i=$((i+1)); done
  '';

  wide = make "wide-1.0" { } ''
    mkdir "$out"; cd "$out"; seq -f 'file-%05.0f' 1 1200 | xargs touch
    seq 1 300 | sed s:^:sub/: | xargs mkdir -p
    n=1; while [ $n -le 300 ]; do echo $n > "sub/$n/f"; n=$((n+1)); done
  '';

  singleFile = make "single-file-1.0" { } ''printf 'one file\n' > "$out"'';
  singleExecutable = make "single-executable-1.0" { } ''printf 'one file\n' > "$out"; chmod +x "$out"'';
  singleEmpty = make "single-empty-1.0" { } '': > "$out"'';
  singleSymlink = make "single-symlink-1.0" { inherit singleFile; } ''ln -s "$singleFile" "$out"'';
  danglingSymlink = make "single-dangling-1.0" { } ''ln -s /nonexistent "$out"'';
  emptyDirectory = make "empty-directory-1.0" { } ''mkdir "$out"'';

  multiple = make "multiple-3.1" { outputs = [ "out" "dev" "man" "lib" ]; inherit singleFile; } ''
    mkdir -p "$out/bin" "$dev/include" "$man/share/man/man1" "$lib/lib"
    printf '%s\n' "$lib" "$singleFile" > "$out/bin/run"; chmod +x "$out/bin/run"
    printf '%s %s\n' "$out" "$lib" > "$dev/include/multiple.h"
    printf '.TH MULTIPLE 1\n' > "$man/share/man/man1/multiple.1"
    printf 'lib\n' > "$lib/lib/libmultiple.so"
  '';

  selfReference = make "self-reference-1.0" { } ''
    mkdir "$out"; printf '%s\n' "$out" > "$out/prefix"; ln -s "$out/prefix" "$out/link"
  '';

  commonA = make "common-a-1.0" { } common;
  commonB = make "common-b-1.0" { inherit commonA; } (common + ''echo "$commonA" > "$out/ref"'');
  commonMinimal = make "common-minimal-1.0" { } (common + ''rm "$out"/share/common-1*'');
  twinOld = make "twin-1.0" { } (common + "printf old > $out/version");
  twinNew = make "twin-1.1" { } (common + "printf new > $out/version");

  versions = map (n: make "gen-${toString n}" { previous = commonB; } ''
    mkdir "$out"; echo "$previous" > "$out/previous"; echo ${toString n} > "$out/generation"
    head -c $((${toString n} * 10000)) /dev/zero > "$out/zero"
  '') [ 1 2 3 ];

  # A chain and a diamond, for questions about the graph.
  chain = builtins.foldl' (previous: n: make "chain-${toString n}" { inherit previous; } ''
    mkdir "$out"; echo "$previous" > "$out/previous"; head -c ${toString (n * 1000)} /dev/zero > "$out/zero"
  '') singleFile (builtins.genList (n: n) 12);
  diamond = make "diamond-1.0" { inherit chain commonA commonB twinOld; } ''
    mkdir "$out"; printf '%s\n' "$chain" "$commonA" "$commonB" "$twinOld" > "$out/refs"
  '';

  everything = make "everything-1.0" {
    inherit hardLinks symlinks files names big sparse deep wide singleFile singleExecutable
      singleEmpty singleSymlink danglingSymlink emptyDirectory selfReference
      commonA commonB commonMinimal twinOld twinNew diamond text source fixedFlat fixedRecursive;
    multiple = multiple.out; man = multiple.man; dev = multiple.dev;
  } ''
    mkdir "$out"
    for p in $hardLinks $symlinks $files $names $big $sparse $deep $wide $singleFile \
      $singleExecutable $singleEmpty $singleSymlink $danglingSymlink $emptyDirectory \
      $selfReference $commonA $commonB $commonMinimal $twinOld $twinNew $diamond $text \
      $source $fixedFlat $fixedRecursive $multiple $man $dev
    do ln -s "$p" "$out/''${p##*/}"; done
  '';
in
{
  inherit everything;
  generations = versions;
  late = [
    (make "late-1.0" { inherit commonA; } (common + ''echo "$commonA" > "$out/ref"; cp "$out/share/common-large" "$out/again"''))
    (make "late-new-content-1.0" { } ''
      mkdir "$out"; printf 'only after optimising\n' > "$out/a"; cp "$out/a" "$out/b"; ln "$out/a" "$out/c"
    '')
  ];
  # Valid, in no profile and under no root: garbage.
  dead = [ (make "dead-1.0" { inherit twinOld; } (common + ''echo "$twinOld" > "$out/ref"; printf 'dead\n' > "$out/only"'')) ];
}
