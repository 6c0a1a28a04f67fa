# SPDX-License-Identifier: GPL-2.0-or-later
# The module, built outside its sources: kbuild of 6.1 to 6.12 writes beside them.
