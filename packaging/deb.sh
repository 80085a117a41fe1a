#!/bin/sh
# Builds the Debian package: deb.sh BINARY FOLDER puts forewarn_VERSION_ARCHITECTURE.deb into FOLDER.
set -eu
umask 022
binary=$1 out=$2
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
architecture=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -Dm755 "$binary" "$root/usr/bin/forewarn"
install -Dm644 packaging/forewarn.service "$root/usr/lib/systemd/system/forewarn.service"
install -Dm640 packaging/forewarn.yaml "$root/etc/forewarn/forewarn.yaml"
install -dm755 "$root/etc/forewarn/pipelines" "$root/etc/forewarn/models"
install -Dm644 docs/operations.md "$root/usr/share/doc/forewarn/operations.md"
install -Dm644 docs/schema/server.schema.json "$root/usr/share/doc/forewarn/server.schema.json"
install -Dm644 LICENSE "$root/usr/share/doc/forewarn/copyright"

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: forewarn
Version: $version
Architecture: $architecture
Maintainer: The Forewarn authors <forewarn@localhost>
Depends: libc6, adduser, ca-certificates
Section: science
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f1)
Description: watches machines and predicts their failures
 Takes readings of sensors, raises alerts, keeps the history in Delta tables and predicts when each machine
 will fail. One process, one folder, one HTTP API.
CONTROL
echo /etc/forewarn/forewarn.yaml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
  getent passwd forewarn >/dev/null ||
    adduser --system --group --quiet --home /var/lib/forewarn --no-create-home forewarn
  install -d -o forewarn -g forewarn -m 700 /var/lib/forewarn
  # The settings may hold secrets: the server reads them, others do not.
  chgrp forewarn /etc/forewarn/forewarn.yaml
  chmod 640 /etc/forewarn/forewarn.yaml
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable forewarn.service
    systemctl restart forewarn.service
  fi
fi
POSTINST
cat >"$root/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
  systemctl stop forewarn.service
  [ "$1" != remove ] || systemctl disable forewarn.service
fi
PRERM
cat >"$root/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
# What the plant has recorded stays, also after a purge: /var/lib/forewarn is for an administrator to delete.
[ ! -d /run/systemd/system ] || systemctl daemon-reload
POSTRM
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root" "$out/forewarn_${version}_$architecture.deb"
