# Two commands matter: `make demo` and `make test`. Both set up what they need.
.PHONY: demo test setup prometheus chromium check clean

demo: setup
	npm run --silent mixscaler -- demo

test: setup prometheus chromium
	npm run --silent check
	npm run --silent build
	npm run --silent test

# The host's Node only has to run npm: the dev dependency `node` pins the runtime that everything else uses.
setup: node_modules/.package-lock.json

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install nodejs npm"; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Integration tests run a real Prometheus: Debian's package.
prometheus:
	@command -v prometheus >/dev/null || ./test/install-prometheus.sh

# Reports are opened in a real browser: Debian's package.
chromium:
	@command -v chromium >/dev/null || ./test/install-chromium.sh

check: setup
	npm run --silent check

clean:
	rm -rf node_modules dist
