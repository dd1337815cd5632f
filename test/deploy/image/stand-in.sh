#!/bin/bash
# stand-in.sh FOLDER NODE NPM: makes FOLDER/root, a root file system that has what of node:24-slim the Dockerfile uses, each thing
# where that image has it: Debian packages, as this machine's apt gives them, this Node and this npm.
set -euo pipefail
folder=$1 node=$2 npm=$3
root=$folder/root archives=$folder/archives
packages=(base-files base-passwd bash coreutils dash findutils grep libc-bin libstdc++6)

# With an empty status, apt takes nothing for installed: it fetches all that the packages depend on.
mkdir -p "$archives/partial" && : >"$folder/status"
fetch() {
  apt-get install -qq --yes --download-only --no-install-recommends \
    -o Dir::State::status="$folder/status" -o Dir::Cache::archives="$archives/" \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "${packages[@]}" >/dev/null
}
fetch || { apt-get update -qq && fetch; }

mkdir -p "$root"/usr/{bin,sbin,lib,lib64,local/bin,local/lib/node_modules} "$root"/{etc,var/lib/dpkg,opt/yarn-v1.22.22}
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$root/$directory"; done
for package in "$archives"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" |
    tar --extract --directory "$root" --keep-directory-symlink --exclude ./usr/share/locale --exclude ./usr/share/man
  { dpkg-deb --field "$package" && printf 'Status: install ok installed\n\n'; } >>"$root/var/lib/dpkg/status"
done
for file in passwd group; do cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file"; done
echo 'node:x:1000:1000::/home/node:/bin/bash' >>"$root/etc/passwd"
echo 'node:x:1000:' >>"$root/etc/group"

cp "$node" "$root/usr/local/bin/node"
cp --recursive "$npm" "$root/usr/local/lib/node_modules/npm"
for program in npm npx; do ln -s "../lib/node_modules/npm/bin/$program-cli.js" "$root/usr/local/bin/$program"; done
