# The front door. Every target is a few lines that call cargo or a program of ours.
# Nothing is tracked here: cargo and `iso` know themselves what is up to date.

TARGET := x86_64-unknown-linux-gnu
ISO  := target/$(TARGET)/debug/iso
RUN  := target/$(TARGET)/debug/run
# Making device nodes and chroots needs root; compiling does not.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
ifdef SUDO
# Test machines get ports below 1024 on the loopback.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER := sudo -E
endif
# Each is a target too; `make test` prints the time of each.
TEST_PARTS = check iso catalogue-of-tests test-engine test-vm
# Cargo's profile of the programs in the image; `dist` has its own.
PROFILE = image-dev
# The images of disks that tests boot.
TESTED_IMAGES = paddock.qcow2 paddock.vdi paddock.vhdx paddock.ova
# Archives of images for User Docker in the ISO and in the disks, which the first boot loads.
USER_IMAGES =
IMAGE_OPTIONS = $(foreach archive,$(USER_IMAGES),--user-image '$(archive)')
SUITES = cargo run --quiet -p qemu-tests --bin suites --

.PHONY: help run iso images catalogue catalogue-of-tests test test-unit test-engine test-vm test-long test-faults test-install check cves bench count fuzz dist clean parts programs packages deps compiler test-deps cargo tool mine

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'make run CLOUD_CONFIG=my.yml   boots with your cloud-config'
	@echo 'make iso USER_IMAGES="a.tar b.tar"   adds archives of docker save, which the first boot loads; dist and images too'
	@echo 'make test-vm T=name            only tests whose name contains it'

# QEMU runs as the user here: `cargo run` would start it through sudo.
run: iso ## build and boot the ISO in QEMU, its serial console in this terminal
	@$(ISO) deps run
	@cargo build --quiet -p qemu-tests --bin run
	$(RUN) $(if $(CLOUD_CONFIG),--cloud-config '$(CLOUD_CONFIG)')

iso: parts ## build dist/ for development: compiled and compressed fast
	@$(SUDO) $(ISO) build $(IMAGE_OPTIONS)

dist: PROFILE = image
dist: compiler parts ## build dist/ as it is released: compiled and compressed for size
	@$(SUDO) $(ISO) build --release $(IMAGE_OPTIONS)

# Packages come from the network while the programs are compiled.
parts: deps
	@$(MAKE) --no-print-directory -j2 PROFILE=$(PROFILE) programs packages

programs: cargo
	@began=$$(date +%s); cargo build --quiet --locked --profile $(PROFILE) -p init -p ros && rm -rf target/manual && \
	{ rustc --version && cargo tree --locked -p init -p ros -e normal,no-proc-macro --target $(TARGET) \
		--prefix none --no-dedupe --format "$$(printf '{p}\t{l}')" | grep . | LC_ALL=C sort -u; } > target/crates.txt && \
	cargo run --quiet -p ros --features manual -- manual target/manual && \
	printf '  %-28s %4d.0 s\n' 'init, ros and its manual' $$(($$(date +%s) - began))

packages: deps
	@$(SUDO) $(ISO) packages

catalogue: deps ## build the images of consoles, engines and services into dist/images/, and those of tests
	@$(SUDO) $(ISO) catalogue

catalogue-of-tests: deps # the images of the catalogue that the tests of `make test` use
	@$(SUDO) $(ISO) catalogue console-debian docker-28

images: dist ## build disks of a release with the system installed into dist/: qcow2, vmdk, vdi, vhdx, vhd, ova …
	@$(ISO) deps images
	@$(SUDO) $(ISO) disk-images --release $(IMAGE_OPTIONS)

test: mine ## everything that is tested in reasonable time
	@rm -f build/test-times; mkdir -p build; \
	for part in $(TEST_PARTS); do \
		began=$$(date +%s); $(MAKE) --no-print-directory $$part || exit 1; \
		printf '%5d s  %s\n' $$(($$(date +%s) - began)) $$part >> build/test-times; \
	done; \
	echo 'make test took'; sort -rn build/test-times

test-unit: cargo ## tests that need no machine
	cargo test --workspace --quiet

test-engine: iso test-deps ## the service engine against the dockerd of the OS image, without a machine [T=name]
	cargo test --quiet -p ros --features cut-points --test engine -- --ignored $(T)

test-vm: iso catalogue-of-tests test-deps mine ## tests in virtual machines [T=name]
	$(SUITES) vm $(T)

test-long: dist catalogue test-deps mine ## long suites, on a release: 20 reboots, every boot medium, every broken input [T=name] [LIST=1]
	$(SUITES) long $(T) $(if $(LIST),--list)

test-faults: iso test-deps mine ## faults of the machine: killed and stopped daemons, full and hung disks, pulled media, damaged data [T=name] [LIST=1]
	$(SUITES) faults $(T) $(if $(LIST),--list)

test-install: iso test-deps mine ## installations to every kind of disk, images of disks, netboot, Secure Boot, damaged slots [T=name] [LIST=1]
	@$(ISO) deps images
	@$(SUDO) $(ISO) disk-images $(IMAGE_OPTIONS) $(TESTED_IMAGES)
	$(SUITES) install $(T) $(if $(LIST),--list)

check: tool ## formatting, lints, licences and advisories, unit tests
	@$(ISO) deps check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo deny --log-level error check licenses bans sources
	@if cargo deny --log-level off fetch db; then cargo deny --log-level error check --disable-fetch advisories; \
	else echo 'NOT CHECKED: advisories; their database cannot be reached from here'; fi
	cargo test --workspace --quiet

cves: tool ## name open vulnerabilities of the image's packages [TRACKER=file, if not from Debian]
	@$(ISO) cves $(if $(TRACKER),--tracker '$(TRACKER)')

bench: dist test-deps mine ## measure against Debian with Docker, write docs/figures.md [BOOTS=5]
	cargo run -p qemu-tests --bin bench -- $(BOOTS)

count: iso test-deps mine ## count the instructions of a boot, and print where they go [RECORD=1 for tests to compare with]
	cargo run --quiet -p qemu-tests --bin bench -- --count $(if $(RECORD),--record)

FUZZED := $(CURDIR)/build/fuzz
CARGO_FUZZ = 0.13.2
fuzz: cargo ## feed damaged input to every parser of other people's documents [SECONDS=600 each]
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --version $(CARGO_FUZZ) cargo-fuzz
	mkdir -p $(FUZZED)
	tar -xJf os-config/fuzz/corpus.tar.xz -C $(FUZZED)
	cd os-config && for target in $$(cargo +nightly fuzz list); do \
		cargo +nightly fuzz run $$target --target x86_64-unknown-linux-gnu $(FUZZED)/$$target -- \
			-max_total_time=$(or $(SECONDS),600) -max_len=4096 || exit 1; \
	done

clean: ## remove build/, dist/ and target/
	$(SUDO) rm -rf build dist target

deps: tool
	@$(ISO) deps build

compiler: tool
	@$(ISO) deps release

test-deps: tool
	@$(ISO) deps test

tool: cargo
	@cargo build --quiet -p iso

cargo:
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust from https://rustup.rs, then open a new shell'; exit 1; }

# What tests left behind as root is to be overwritten by the user.
mine:
	@$(if $(SUDO),[ ! -e build/qemu-tests ] || $(SUDO) chown -R "$$(id -u):$$(id -g)" build/qemu-tests,true)
