# SPDX-License-Identifier: GPL-2.0-or-later
# Golden streams, read by the command and by a second reader; bad ones.

.PHONY: check-vectors vectors
check-vectors: command generate
	@BUILD=$(BUILD) tests/ktap-run vectors sh tests/vectors/vectors.sh

vectors: command generate
	@BUILD=$(BUILD) tests/vectors/make-streams $(BUILD)/vectors

## make check-vectors    golden streams, by the command and by a second reader
## make vectors          build/vectors: the golden streams, and bad ones, made anew
