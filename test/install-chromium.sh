#!/bin/sh
# Installs Debian's chromium, in which the tests open reports, as root or through sudo.
set -eu
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "chromium is missing and there is no sudo: apt-get install chromium"; exit 1; }
  as_root=sudo
fi
echo "installing Debian's chromium for the tests of reports"
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
command -v chromium >/dev/null || { echo "chromium is still missing: apt-get install chromium"; exit 1; }
