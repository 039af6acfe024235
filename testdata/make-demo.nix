# The demo store: a thin NixOS server, at about one two-hundredth of its size.
#
# The names, who refers to whom, and the proportions are those of a real minimal
# system; what the files hold is invented. References are real: a path is referred to
# because its hash part occurs in a file, where Nix's own scan found it. See README.md.
{ nixpkgs }:
let
  prelude = ''
    # The functions' own variables begin with _.
    # put KIND SIZE FILE [SEED]: SIZE bytes of invented text, the same for the same SEED.
    put() {
      case $3 in */*) mkdir -p "$out/''${3%/*}" ;; *) mkdir -p "$out" ;; esac
      case $1 in
        elf) printf '\177ELF\002\001\001' ;;
        script) echo "#!$bash/bin/bash" ;;
        text) ;;
      esac > "$out/$3"
      yes "''${4:-$pname $3}: invented content" | head -c "$2" >> "$out/$3"
      case $3 in bin/*|lib/*.so*|*/sbin/*|*/bin/*|libexec/*) chmod +x "$out/$3" ;; esac
    }
    # many KIND COUNT SIZE PREFIX SUFFIX [SEED]: COUNT files of about SIZE.
    many() {
      _m=0
      while [ $_m -lt "$2" ]; do
        put "$1" $(($3 + _m % 7 * $3 / 20)) "$4$_m$5" "''${6:-$pname $4}$_m"
        _m=$((_m + 1))
      done
    }
    # man SIZE NAME...
    man() {
      _s=$1; shift
      for _m in "$@"; do put text $_s "share/man/man''${_m##*.}/$_m"; done
    }
    # locales SIZE LANGUAGE...
    locales() {
      _s=$1; shift
      for _m in "$@"; do put text $_s "share/locale/$_m/LC_MESSAGES/$pname.mo"; done
    }
    # needs: what a linked program holds, its libraries' directories.
    needs() {
      _n=$1; shift
      for _m in "$@"; do printf '\0%s/lib' "$_m"; done >> "$out/$_n"
    }
  '';

  parse = name: (builtins.parseDrvName name).name;

  make = name: attributes: script: derivation ({
    inherit name;
    pname = parse name;
    system = "x86_64-linux";
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    LC_ALL = "C";
    args = [ "-euc" (prelude + script) ];
  } // attributes);

  langs = "de es fr ja pt_BR ru uk zh_CN";

  glibc = make "glibc-2.39-52" { } ''
    put elf 11000 lib/libc.so.6; put elf 1200 lib/ld-linux-x86-64.so.2; put elf 4600 lib/libm.so.6
    put elf 900 lib/libresolv.so.2; put elf 700 lib/libpthread.so.0
    many text 14 4200 share/i18n/charmaps/CHARSET- .gz
    locales 1800 ${langs}
    printf '%s/lib\n' "$out" > "$out/lib/libc.so.6.path"
  '';
  locales = make "glibc-locales-2.39-52" { inherit glibc; } ''
    put text 76000 lib/locale/locale-archive; echo "$glibc" > "$out/lib/locale/from"
  '';
  gcclib = make "gcc-13.2.0-lib" { inherit glibc; } ''
    put elf 11500 lib/libstdc++.so.6; put elf 700 lib/libgcc_s.so.1; put elf 16000 lib/libasan.so.8
    needs lib/libstdc++.so.6 "$glibc"
  '';
  # A library of one file.
  lib = name: file: size: deps: make name { inherit glibc; deps = deps; } ''
    put elf ${toString size} lib/${file}
    needs lib/${file} "$out" "$glibc" $deps
  '';
  zlib = lib "zlib-1.3.1" "libz.so.1" 650 [ ];
  bzip2 = lib "bzip2-1.0.8" "libbz2.so.1" 400 [ ];
  xz = lib "xz-5.4.7" "liblzma.so.5" 1300 [ ];
  zstd = lib "zstd-1.5.6" "libzstd.so.1" 4100 [ ];
  gmp = lib "gmp-with-cxx-6.3.0" "libgmp.so.10" 3600 [ gcclib ];
  attr = lib "attr-2.5.2" "libattr.so.1" 400 [ ];
  acl = lib "acl-2.3.2" "libacl.so.1" 500 [ attr ];
  libcap = lib "libcap-2.69-lib" "libcap.so.2" 500 [ ];
  expat = lib "expat-2.6.2" "libexpat.so.1" 900 [ ];
  libffi = lib "libffi-3.4.6" "libffi.so.8" 400 [ ];
  sqlite = lib "sqlite-3.45.3" "libsqlite3.so.0" 7600 [ zlib ];
  openssl = lib "openssl-3.0.14" "libcrypto.so.3" 32000 [ ];
  libressl = lib "libressl-3.9.2" "libcrypto.so.53" 19000 [ ];
  libxcrypt = lib "libxcrypt-4.4.36" "libcrypt.so.2" 1500 [ ];
  ncurses = make "ncurses-6.4.20221231" { inherit glibc; } ''
    put elf 2300 lib/libncursesw.so.6; needs lib/libncursesw.so.6 "$glibc"
    many text 18 900 share/terminfo/x/xterm- ""
  '';
  readline = lib "readline-8.2p10" "libreadline.so.8" 2400 [ ncurses ];
  bash = make "bash-5.2p26" { inherit glibc; } ''
    put elf 6100 bin/bash; needs bin/bash "$glibc"; ln -s bash "$out/bin/sh"
    locales 1400 ${langs}
  '';
  bashInteractive = make "bash-interactive-5.2p26" { inherit glibc readline ncurses; } ''
    put elf 6300 bin/bash; needs bin/bash "$glibc" "$readline" "$ncurses"
    locales 1400 ${langs}; man 1700 bash.1
  '';
  bashCompletion = make "bash-completion-2.13.0" { } ''
    many text 36 420 share/bash-completion/completions/command ""
  '';
  coreutils = make "coreutils-9.5" { inherit glibc acl attr gmp openssl; } ''
    put elf 8700 bin/coreutils; needs bin/coreutils "$glibc" "$acl" "$attr" "$gmp" "$openssl"
    for m in cat cp chmod chown cut date dd df du echo env false head id ln ls mkdir mknod mv \
      nproc od printf pwd readlink realpath rm rmdir sleep sort stat stty sync tail tee test \
      timeout touch tr true tty uname uniq wc who yes; do ln -s coreutils "$out/bin/$m"; done
    locales 3000 ${langs}
    man 500 cat.1 cp.1 chmod.1 date.1 dd.1 df.1 du.1 ln.1 ls.1 mkdir.1 mv.1 rm.1 sort.1 stat.1 tail.1 test.1
  '';
  tool = name: program: size: deps: make name { inherit glibc; deps = deps; } ''
    put elf ${toString size} bin/${program}; needs bin/${program} "$glibc" $deps
    man 600 ${program}.1
  '';
  findutils = tool "findutils-4.9.0" "find" 1900 [ coreutils ];
  gnugrep = tool "gnugrep-3.11" "grep" 1500 [ bash ];
  gnused = tool "gnused-4.9" "sed" 1300 [ acl ];
  gnutar = tool "gnutar-1.35" "tar" 2700 [ acl ];
  gzip = tool "gzip-1.13" "gzip" 700 [ bash ];
  less = tool "less-643" "less" 1200 [ ncurses ];
  curl = tool "curl-8.7.1" "curl" 4800 [ openssl zlib zstd ];
  netcat = tool "libressl-3.9.2-nc" "nc" 400 [ libressl ];
  openssh = tool "openssh-9.7p1" "ssh" 28000 [ openssl libxcrypt zlib ];
  e2fsprogs = tool "e2fsprogs-1.47.0-bin" "mkfs.ext4" 12000 [ utilLinuxMinimal ];

  # util-linux and its minimal twin: what both have is the same, byte for byte.
  utilLinuxFiles = ''
    for m in mount umount lsblk blkid findmnt fdisk sfdisk swapon losetup; do
      put elf 1500 bin/$m util-linux-bin-$m
    done
    put elf 2300 lib/libmount.so.1 util-linux-libmount; put elf 2000 lib/libblkid.so.1 util-linux-libblkid
    put elf 300 lib/libuuid.so.1 util-linux-libuuid
    for m in ${langs}; do put text 3000 share/locale/$m/LC_MESSAGES/util-linux.mo util-linux-$m; done
  '';
  utilLinux = make "util-linux-2.39.4" { inherit glibc ncurses libcap linuxPam; } (utilLinuxFiles + ''
    for m in cfdisk more login su hwclock lscpu setpriv nsenter; do put elf 1500 bin/$m; done
    needs bin/login "$glibc" "$ncurses" "$libcap" "$linuxPam"
    man 450 mount.8 umount.8 lsblk.8 fdisk.8 login.1 su.1 more.1 lscpu.1
  '');
  utilLinuxMinimal = make "util-linux-minimal-2.39.4" { inherit glibc; } (utilLinuxFiles + ''
    echo "$glibc" > "$out/lib/needs"
  '');
  linuxPam = make "linux-pam-1.6.1" { inherit glibc libxcrypt; } ''
    many elf 16 300 lib/security/pam_ .so; echo "$glibc $libxcrypt" > "$out/lib/needs"; man 300 pam.8
  '';
  kmod = tool "kmod-31" "kmod" 900 [ xz zstd openssl ];
  kbd = make "kbd-2.6.4" { inherit glibc linuxPam; } ''
    put elf 900 bin/loadkeys; needs bin/loadkeys "$glibc" "$linuxPam"
    many text 14 900 share/keymaps/i386/qwerty/map .map.gz; many text 10 700 share/consolefonts/font .psfu.gz
  '';

  # systemd, and the minimal twin that dbus alone refers to.
  systemdFiles = ''
    put elf 17500 lib/systemd/libsystemd-shared-255.so systemd-shared
    put elf 4600 lib/libsystemd.so.0 systemd-lib; put elf 900 lib/libudev.so.1 systemd-udev
    m=0; while [ $m -lt 18 ]; do put elf 900 lib/systemd/systemd-$m systemd-helper-$m; m=$((m+1)); done
    m=0; while [ $m -lt 14 ]; do put text 700 example/systemd/system/unit$m.service systemd-unit-$m; m=$((m+1)); done
    put elf 800 bin/systemctl systemd-systemctl; put elf 600 bin/journalctl systemd-journalctl
  '';
  systemd = make "systemd-255.6" {
    inherit glibc utilLinux kmod kbd libcap linuxPam openssl xz zstd acl libxcrypt coreutils bash;
  } (systemdFiles + ''
    m=0; while [ $m -lt 16 ]; do put elf 1900 lib/systemd/systemd-full-$m; m=$((m+1)); done
    many text 16 2600 lib/udev/hwdb.d/ .hwdb
    put elf 1900 lib/systemd/systemd; echo "$out" >> "$out/lib/systemd/systemd"
    needs lib/systemd/systemd "$glibc" "$utilLinux" "$kmod" "$kbd" "$libcap" "$linuxPam" "$openssl" \
      "$xz" "$zstd" "$acl" "$libxcrypt" "$coreutils" "$bash"
    locales 900 de fr ja pl ru
  '');
  systemdMan = make "systemd-255.6-man" { } ''
    m=0; while [ $m -lt 24 ]; do man 700 systemd-$m.5 systemd-$m.8; m=$((m+1)); done
  '';
  systemdMinimal = make "systemd-minimal-255.6" {
    inherit glibc libcap coreutils bash; utilLinux = utilLinuxMinimal;
  } (systemdFiles + ''
    echo "$out $glibc $libcap $coreutils $bash $utilLinux" > "$out/lib/needs"
    locales 900 de fr ja pl ru
  '');
  systemdMinimalLibs = make "systemd-minimal-libs-255.6" { inherit glibc libcap; } ''
    put elf 4600 lib/libsystemd.so.0 systemd-lib; put elf 900 lib/libudev.so.1 systemd-udev
    echo "$glibc $libcap" > "$out/lib/needs"
  '';
  dbus = make "dbus-1.14.10" { inherit glibc expat; systemd = systemdMinimal; } ''
    put elf 1300 bin/dbus-daemon; needs bin/dbus-daemon "$glibc" "$expat" "$systemd"
    put text 300 share/dbus-1/system.conf; man 500 dbus-daemon.1
  '';
  procps = tool "procps-4.0.4" "ps" 2600 [ ncurses systemdMinimalLibs ];
  hwdb = make "hwdb.bin" { } ''
    yes "hwdb: invented content" | head -c 52000 > "$out"
  '';
  lvm2 = tool "lvm2-2.03.23-bin" "lvm" 15000 [ systemdMinimalLibs utilLinuxMinimal readline ];
  fuse3 = tool "fuse-3.16.2-bin" "fusermount3" 1100 [ ];
  sudo = tool "sudo-1.9.15p5" "sudo" 21000 [ linuxPam zlib openssl coreutils ];
  wrappers = make "security-wrappers" { inherit sudo fuse3 dbus bash; } ''
    put script 100 bin/suid-sgid-wrappers.sh
    for m in "$sudo/bin/sudo" "$fuse3/bin/fusermount3" "$dbus/libexec/dbus-daemon-launch-helper"; do
      echo "wrap $m"
    done >> "$out/bin/suid-sgid-wrappers.sh"
  '';

  # perl: three interpreters' worth of modules, an env of links, man pages.
  perl = make "perl-5.38.2" { inherit glibc libxcrypt coreutils zlib; } ''
    put elf 19000 bin/perl; needs bin/perl "$glibc" "$libxcrypt" "$coreutils" "$zlib"
    many text 42 4500 lib/perl5/5.38.2/Module .pm; many text 24 3300 lib/perl5/5.38.2/pod/perl .pod
    many elf 12 600 lib/perl5/5.38.2/x86_64-linux-thread-multi/auto/Mod .so
    m=0; while [ $m -lt 20 ]; do man 1400 perl$m.1; man 1000 Module$m.3; m=$((m+1)); done
  '';
  perlModule = name: size: deps: make name { inherit perl; deps = deps; } ''
    many text 4 ${toString size} lib/perl5/site_perl/5.38.2/$pname .pm; man 500 $pname.3
    echo "$perl $deps" > "$out/lib/perl5/nix-support"
  '';
  perlFileSlurp = perlModule "perl5.38.2-File-Slurp-9999.32" 900 [ ];
  perlListMore = perlModule "perl5.38.2-List-MoreUtils-0.430" 1100 [ ];
  perlConfig = perlModule "perl5.38.2-Config-IniFiles-3.000003" 1900 [ perlListMore ];
  perlNetDBus = perlModule "perl5.38.2-Net-DBus-1.2.0" 3900 [ dbus ];
  perlEnv = make "perl-5.38.2-env" { inherit perl; modules = [ perlFileSlurp perlConfig perlNetDBus ]; bash = bash; } ''
    put script 200 bin/perl; echo "exec $perl/bin/perl -I $modules" >> "$out/bin/perl"
    mkdir -p "$out/lib"; ln -s "$perl/lib/perl5" "$out/lib/perl5"
  '';
  perlSlurpEnv = make "perl-5.38.2-env" { inherit perl; modules = [ perlFileSlurp ]; bash = bash; } ''
    put script 200 bin/perl; echo "exec $perl/bin/perl -I $modules" >> "$out/bin/perl"
  '';

  # python: kept by the script that installs the boot loader.
  python = make "python3-3.11.9" {
    inherit glibc zlib bzip2 xz expat libffi sqlite openssl readline ncurses bash libxcrypt;
  } ''
    put elf 26000 lib/libpython3.11.so.1.0; put elf 100 bin/python3.11; ln -s python3.11 "$out/bin/python3"
    needs bin/python3.11 "$out" "$glibc" "$zlib" "$bzip2" "$xz" "$expat" "$libffi" "$sqlite" "$openssl" \
      "$readline" "$ncurses" "$bash" "$libxcrypt"
    many text 60 2900 lib/python3.11/module .py; many text 60 2700 lib/python3.11/__pycache__/module .cpython-311.pyc
    many text 24 2500 lib/python3.11/test/test_ .py; many elf 16 900 lib/python3.11/lib-dynload/_mod .so
    put text 1600 share/man/man1/python3.11.1
  '';
  bootBuilder = make "systemd-boot-builder.py" { inherit python systemd nix; } ''
    { echo "#!$python/bin/python3"; echo "bootctl = \"$systemd/bin/bootctl\""; echo "nix_env = \"$nix/bin/nix-env\""
      yes '# invented content' | head -c 900; } > "$out"; chmod +x "$out"
  '';
  installBootLoader = make "install-systemd-boot.sh" { inherit bash coreutils bootBuilder; } ''
    printf '#!%s/bin/bash\nset -e\n%s "$@"\n%s/bin/sync\n' "$bash" "$bootBuilder" "$coreutils" > "$out"
    chmod +x "$out"
  '';

  # nix, with what only it uses.
  awsCommon = lib "aws-c-common-0.9.17" "libaws-c-common.so.1" 1500 [ ];
  awsAuth = lib "aws-c-auth-0.7.22" "libaws-c-auth.so.1.0.0" 1100 [ awsCommon ];
  awsCrt = lib "aws-crt-cpp-0.26.8" "libaws-crt-cpp.so" 3000 [ awsCommon awsAuth gcclib ];
  awsSdk = lib "aws-sdk-cpp-1.11.318" "libaws-cpp-sdk-core.so" 28500 [ awsCrt curl gcclib openssl ];
  boehmgc = lib "boehm-gc-8.2.6" "libgc.so.1" 1200 [ ];
  boost = lib "boost-1.81.0" "libboost_context.so.1.81.0" 5500 [ gcclib zlib ];
  libgit2 = lib "libgit2-1.7.2-lib" "libgit2.so.1.7" 4900 [ openssl zlib ];
  libsodium = lib "libsodium-1.0.19" "libsodium.so.26" 1900 [ ];
  nix = make "nix-2.18.2" {
    inherit glibc awsSdk boehmgc boost sqlite curl openssl xz libsodium gcclib bash coreutils libgit2;
  } ''
    put elf 7600 bin/nix; for m in nix-build nix-env nix-store nix-shell nix-channel; do ln -s nix "$out/bin/$m"; done
    put elf 14000 lib/libnixstore.so; put elf 11000 lib/libnixexpr.so; put elf 4200 lib/libnixutil.so
    needs bin/nix "$out" "$glibc" "$boehmgc" "$boost" "$sqlite" "$curl" "$openssl" "$xz" "$libsodium" "$gcclib" "$bash" "$coreutils" "$libgit2"
    needs lib/libnixstore.so "$awsSdk"
  '';
  nixMan = make "nix-2.18.2-man" { } ''
    m=0; while [ $m -lt 16 ]; do man 900 nix3-$m.1; m=$((m+1)); done; man 1800 nix.1 nix-store.1 nix.conf.5
  '';
  # The whole of nixpkgs, kept by this one small file.
  registry = make "etc-nix-registry.json" { inherit nixpkgs; } ''
    printf '{"flakes":[{"exact":true,"from":{"id":"nixpkgs","type":"indirect"},"to":{"path":"%s","type":"path"}}],"version":2}\n' \
      "$nixpkgs" > "$out"
  '';

  manPages = make "man-pages-6.8" { } ''
    m=0; while [ $m -lt 40 ]; do man 550 call$m.2 function$m.3; m=$((m+1)); done
  '';
  mandb = tool "man-db-2.12.1" "man" 3300 [ zlib less ];

  # Two versions of the kernel: most modules the same, byte for byte.
  kernel = version: make "linux-${version}" { } ''
    put elf 54000 bzImage "linux ${version}"; put text 20000 System.map "System.map ${version}"
  '';
  modules = version: make "linux-${version}-modules" { } ''
    base=lib/modules/${version}/kernel
    m=0; while [ $m -lt 90 ]; do
      case $m in *7) s=${version} ;; *) s=same ;; esac
      put elf 6600 $base/drivers/net/driver$m.ko.xz "module $m $s"; m=$((m+1))
    done
    put text 5000 lib/modules/${version}/modules.dep "deps ${version}"
  '';
  firmware = make "wireless-regdb-2024.05.08-zstd" { } ''put text 900 lib/firmware/regulatory.db'';
  initrd = version: make "initrd-linux-${version}" { modules = modules version; } ''
    put elf 46000 initrd "initrd ${version}"
  '';

  unit = name: command: make "unit-${name}.service" { inherit command; } ''
    mkdir "$out"; printf '[Service]\nExecStart=%s\n' "$command" > "$out/${name}.service"
  '';

  # Machine independent: what the configuration says of /etc.
  etc = make "etc" {
    inherit registry dbus systemd bash wrappers hwdb linuxPam openssh nix;
    units = [
      (unit "dbus" "${dbus}/bin/dbus-daemon --system") (unit "sshd" "${openssh}/bin/sshd -D")
      (unit "nix-daemon" "${nix}/bin/nix-daemon") (unit "lvm2-monitor" "${lvm2}/bin/vgchange --monitor y")
      (unit "suid-sgid-wrappers" "${wrappers}/bin/suid-sgid-wrappers.sh") (unit "systemd-udevd" "${systemd}/lib/systemd/systemd-udevd")
    ];
  } ''
    mkdir -p "$out/etc/nix" "$out/etc/systemd/system" "$out/etc/udev" "$out/etc/dbus-1" "$out/etc/pam.d"
    ln -s "$registry" "$out/etc/nix/registry.json"
    printf 'experimental-features = nix-command flakes\n' > "$out/etc/nix/nix.conf"
    ln -s "$hwdb" "$out/etc/udev/hwdb.bin"
    ln -s "$dbus/share/dbus-1/system.conf" "$out/etc/dbus-1/system.conf"
    printf 'auth required %s/lib/security/pam_0.so\n' "$linuxPam" > "$out/etc/pam.d/login"
    for u in $units; do ln -s "$u"/*.service "$out/etc/systemd/system/"; done
  '';

  # What is on everybody's PATH: links, one directory deep.
  path = make "system-path" {
    packages = [
      bashInteractive bashCompletion coreutils findutils gnugrep gnused gnutar gzip less curl netcat openssh
      e2fsprogs utilLinux kmod kbd systemd systemdMan dbus procps lvm2 fuse3 sudo nix nixMan manPages mandb locales
    ];
  } ''
    mkdir -p "$out/bin" "$out/share/man"
    for p in $packages; do
      for f in "$p"/bin/*; do [ -e "$f" ] && ln -sf "$f" "$out/bin/''${f##*/}"; done
      for f in "$p"/share/man/*/*; do
        [ -e "$f" ] || continue
        d=''${f%/*}; d=''${d##*/}; mkdir -p "$out/share/man/$d"; case $f in *0.[1-8]) ln -sf "$f" "$out/share/man/$d/" ;; esac
      done
      for f in "$p"/share/bash-completion "$p"/lib/locale; do [ -e "$f" ] && ln -sfn "$f" "$out/share/''${f##*/}"; done
    done
    rmdir "$out"/share/man/* 2>/dev/null || :
  '';

  system = version: linux: make "nixos-system-demo-${version}" {
    inherit etc path systemd bash coreutils perlEnv perlSlurpEnv installBootLoader firmware;
    kernel = kernel linux; modules = modules linux; initrd = initrd linux;
    utilLinux = utilLinux;
  } ''
    mkdir -p "$out/bin"
    ln -s "$kernel/bzImage" "$out/kernel"; ln -s "$initrd/initrd" "$out/initrd"; ln -s "$modules" "$out/kernel-modules"
    ln -s "$firmware/lib/firmware" "$out/firmware"; ln -s "$etc/etc" "$out/etc"; ln -s "$path" "$out/sw"; ln -s "$systemd" "$out/systemd"
    printf '%s' "${version}" > "$out/nixos-version"; printf 'systemd 255 (255.6)' > "$out/init-interface-version"
    printf '#!%s/bin/bash\n# stage 2\nexec %s/lib/systemd/systemd\n' "$bash" "$systemd" > "$out/init"
    activation() {
      printf '#!%s/bin/bash\n' "$bash"
      printf 'PATH=%s/bin:%s/bin\n\n' "$coreutils" "$utilLinux"
      printf '#### Activation script snippet users:\n'
      printf '%s/bin/perl -w update-users-groups.pl%s\n\n' "$perlEnv" "$1"
      printf '#### Activation script snippet etc:\necho "setting up /etc..."\n'
      printf '%s/bin/perl setup-etc.pl %s/etc%s\n' "$perlSlurpEnv" "$etc" "$1"
    }
    activation "" > "$out/activate"; activation " --dry" > "$out/dry-activate"
    { printf '#! %s/bin/perl\nuse strict;\nuse warnings;\n' "$perlEnv"
      printf 'my $installBootLoader = "%s";\n' "$installBootLoader"
      printf 'my $systemctl = "%s/bin/systemctl";\n' "$systemd"
      yes '# invented content' | head -c 5000; } > "$out/bin/switch-to-configuration"
    chmod +x "$out/init" "$out/activate" "$out/dry-activate" "$out/bin/switch-to-configuration"
  '';
in
{
  older = system "24.05.1" "6.6.31";
  newer = system "24.05.2" "6.6.32";
  # Built once and forgotten: garbage.
  forgotten = tool "hello-2.12.1" "hello" 1100 [ ];
}
