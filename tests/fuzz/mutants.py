# SPDX-License-Identifier: GPL-2.0-or-later
"""
Mutants of streams: what mutate-streams hands to the command.  Streams are taken apart
into frames, forged, and put together again with their checksums made right; what is
known of the format comes from thinexport-stream(5) and tests/vectors/read-stream.
"""
import ctypes
import functools
import importlib.machinery
import importlib.util
import json
import os
import random
import re
import struct
import zlib

HERE = os.path.dirname(os.path.realpath(__file__))


def load(path):
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path).replace("-", "_"), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


second = load(f"{HERE}/../vectors/read-stream")
# In C: that read-stream's own are right is shown by tests/vectors.
isal = ctypes.CDLL("libisal.so.2")
isal.crc32_iscsi.restype = ctypes.c_uint32
isal.crc64_ecma_refl.restype = ctypes.c_uint64


def crc32c(data):
    return isal.crc32_iscsi(data, len(data), ctypes.c_uint32(0xffffffff)) ^ 0xffffffff


def crc64(data, before=0):
    return isal.crc64_ecma_refl(ctypes.c_uint64(before), data, ctypes.c_uint64(len(data)))


second.crc32c, second.crc64 = crc32c, crc64
# A program is started for each payload, and most are met again.
second.DECODERS[2] = functools.lru_cache(256)(second.unzstd)

BEGIN, CATALOG, VOLUME, OPS, VOLUME_END, END = range(1, 7)
DATA, ZERO, SHARE, UNMAP = range(1, 5)
SECTOR = 512
HEADER = struct.Struct("<IIQHHB3sIIIIQ")
(MAGIC, CSUM, SEQUENCE, KIND, FLAGS, CODEC, RESERVED, TABLE, RAW, STORED, PAYLOAD_CSUM,
 RESERVED2) = range(12)
NUMBERS = [0, 1, 2, 3, 7, 127, 128, 129, 255, 256, 511, 512, 4095, 4096, 8192, 8193, 65535, 65536,
           (1 << 22) - 1, 1 << 22, (1 << 22) + 1, (1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31,
           (1 << 32) - 1, 1 << 32, (1 << 40), (1 << 47), (1 << 54) - 128, 1 << 54, (1 << 54) + 1,
           (1 << 55) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 128, (1 << 64) - 1]
# (offset, format) of what can be forged in each kind's struct.
FIELDS = {
    BEGIN: [(0, "Q"), (8, "I"), (12, "I"), (16, "I"), (20, "I"), (24, "Q"), (40, "Q"), (48, "Q"),
            (56, "Q"), (64, "I"), (68, "I"), (72, "B")],
    VOLUME: [(0, "I"), (4, "I"), (8, "I"), (12, "I"), (16, "I"), (20, "I"), (24, "Q"), (32, "Q"),
             (40, "Q"), (48, "Q"), (64, "I"), (68, "B")],
    VOLUME_END: [(0, "I"), (4, "I"), (8, "Q"), (16, "Q"), (24, "Q")],
    END: [(0, "I"), (4, "I"), (8, "Q"), (16, "Q"), (24, "Q"), (32, "Q")],
}
OP = struct.Struct("<QQIHH")


class Frame:
    def __init__(self, header, payload):
        self.header = list(HEADER.unpack(header))
        self.payload = bytes(payload)

    def copy(self):
        frame = Frame.__new__(Frame)
        frame.header, frame.payload = list(self.header), self.payload
        return frame

    @property
    def kind(self):
        return self.header[KIND]

    def raw(self):
        """The payload decoded; None when it does not decode."""
        try:
            return second.DECODERS[self.header[CODEC]](self.payload, self.header[RAW])
        except (second.Refused, KeyError, IndexError, struct.error):
            return None

    def ops(self, raw):
        """The whole ones of its table."""
        return OP.iter_unpack(raw[:min(self.header[TABLE], len(raw)) // OP.size * OP.size])

    def set_raw(self, table, data=b"", codec=0):
        raw = bytes(table) + data
        packed = zlib.compress(raw, 1) if codec == 1 else raw
        if len(packed) >= len(raw):
            codec, packed = 0, raw
        self.header[CODEC], self.header[TABLE], self.header[RAW] = codec, len(table), len(raw)
        self.header[STORED], self.payload = len(packed), packed

    def bytes(self):
        return HEADER.pack(*self.header) + self.payload


def parse(stream):
    frames, at = [], 0
    while at < len(stream):
        stored, = struct.unpack_from("<I", stream, at + 32)
        frames.append(Frame(stream[at:at + 48], stream[at + 48:at + 48 + stored]))
        at += 48 + stored
    return frames


def seal(frames):
    """Numbers, checksums, the digest."""
    digest = 0
    for sequence, frame in enumerate(frames):
        header = frame.header
        if frame.kind == END and len(frame.payload) >= 40:
            frame.payload = frame.payload[:32] + struct.pack("<Q", digest) + frame.payload[40:]
        header[SEQUENCE], header[CSUM] = sequence, 0
        header[PAYLOAD_CSUM] = crc32c(frame.payload)
        header[CSUM] = crc32c(HEADER.pack(*header))
        digest = crc64(HEADER.pack(*header), digest)
    return b"".join(frame.bytes() for frame in frames)


class Mender:
    """Totals and catalog as the frames have come to be."""

    def __init__(self, frames):
        self.frames = frames
        self.total = [0, 0, 0]           # ops, sectors of data, of zeros
        self.runs = []                   # of each volume: [start, end, place]
        self.entries = []
        self.newest = 0
        self.place = 0

    def mend(self):
        volume = None
        for frame in self.frames:
            if frame.kind == VOLUME and len(frame.payload) == 96:
                volume = self.begin_volume(frame)
            elif frame.kind == OPS and volume:
                self.take_ops(frame)
            elif frame.kind == VOLUME_END and len(frame.payload) == 32 and volume:
                self.end_volume(frame, volume)
                volume = None
            elif frame.kind == END and len(frame.payload) == 40:
                frame.payload = struct.pack("<IIQQQQ", len(self.runs), 0, *self.total, 0)
        self.mend_beginning()

    def begin_volume(self, frame):
        index = len(self.runs)
        fields = list(struct.unpack_from("<IIIIIIQQ", frame.payload))
        fields[0] = index
        fields[3] = min(fields[3], 1) if index else 0
        fields[4] = fields[4] % index if fields[3] else 0
        self.runs.append([])
        self.sums, self.position = [0, 0, 0], 0
        self.parent = fields[4] if fields[3] else None
        self.newest = max(self.newest, fields[5])
        frame.payload = struct.pack("<IIIIIIQQ", *fields) + frame.payload[40:]
        return frame

    def take_over(self, source, start, end):
        for low, high, place in list(self.runs[source]) if source < len(self.runs) - 1 else []:
            first, last = max(low, start), min(high, end)
            if first < last:
                self.runs[-1].append([first, last, place + first - low])

    def move_to(self, position):
        if self.parent is not None and self.position < position:
            self.take_over(self.parent, self.position, position)
        self.position = position

    def take_ops(self, frame):
        raw = frame.raw()
        if raw is None:
            return
        for offset, length, source, kind, _ in frame.ops(raw):
            self.move_to(offset)
            self.position = offset + length
            self.sums[0] += 1
            if kind in (DATA, ZERO):
                self.sums[kind] += length
                self.runs[-1].append([offset, offset + length, self.place])
                self.place += length
            elif kind == SHARE:
                self.take_over(source, offset, offset + length)

    def end_volume(self, frame, volume):
        self.move_to(1 << 54)
        frame.payload = struct.pack("<IIQQQ", len(self.runs) - 1, 0, *self.clipped(self.sums))
        self.total = [a + b for a, b in zip(self.total, self.sums)]
        self.total = self.clipped(self.total)
        provisioned = sum(end - start for start, end, _ in self.runs[-1]) & (1 << 64) - 1
        volume.payload = volume.payload[:32] + struct.pack("<Q", provisioned) + volume.payload[40:]
        dev_id, flags, sectors = struct.unpack_from("<4xII12xQ", volume.payload)
        self.entries.append({"id": dev_id, "sectors": sectors, "mapped_blocks": 1,
                             "size_from": "known" if flags & 1 else "mappings"})

    @staticmethod
    def clipped(sums):
        return [n & (1 << 64) - 1 for n in sums]

    def mend_beginning(self):
        pool = None
        for frame in self.frames:
            if frame.kind == BEGIN and len(frame.payload) == 96:
                frame.payload = frame.payload[:56] + struct.pack(
                    "<QII", self.total[1] + self.total[2] & (1 << 64) - 1, len(self.runs),
                    self.newest) + frame.payload[72:]
                block, = struct.unpack_from("<I", frame.payload, 20)
                blocks, transaction = struct.unpack_from("<QQ", frame.payload, 40)
                pool = {"block_sectors": block, "data_blocks": blocks,
                        "transaction_id": transaction}
            if frame.kind == CATALOG and pool:
                text = json.dumps({"pool": pool, "volumes": self.entries}).encode()
                frame.set_raw(text, codec=frame.header[CODEC] & 1)


class Mutator:
    def __init__(self, streams, seed):
        self.streams = streams
        self.random = random.Random(seed)

    def number(self, old=0):
        pick = self.random.random()
        if pick < 0.5:
            return self.random.choice(NUMBERS)
        if pick < 0.75:
            return old + self.random.choice((-128, -1, 1, 2, 128))
        if pick < 0.9:
            return old ^ 1 << self.random.randrange(64)
        return self.random.getrandbits(64)

    # As transport and storage do.

    def cut(self, stream):
        return stream[:self.random.randrange(len(stream))]

    def flip(self, stream):
        out = bytearray(stream)
        for _ in range(self.random.choice((1, 1, 1, 2, 8))):
            out[self.random.randrange(len(out))] ^= 1 << self.random.randrange(8)
        return bytes(out)

    def span(self, stream):
        start = self.random.randrange(len(stream))
        return start, min(len(stream), start + 1 + self.random.choice((1, 8, 48, 512, 4096)))

    def wipe(self, stream):
        start, end = self.span(stream)
        return stream[:start] + self.random.choice((b"\0", b"\xff")) * (end - start) + stream[end:]

    def double(self, stream):
        start, end = self.span(stream)
        return stream[:end] + stream[start:end] + stream[end:]

    def lose(self, stream):
        start, end = self.span(stream)
        return stream[:start] + stream[end:]

    def exchange(self, stream):
        start, end = self.span(stream)
        at = self.random.randrange(len(stream))
        rest = stream[:start] + stream[end:]
        return rest[:at] + stream[start:end] + rest[at:]

    def splice(self, stream):
        other = self.random.choice(self.streams)
        return stream[:self.random.randrange(len(stream))] + other[self.random.randrange(len(other)):]

    def append(self, stream):
        return stream + self.random.choice((b"\0", b"TEFR", bytes(48), stream, stream[:48]))

    def frames_unsealed(self, stream):
        """Whole frames doubled, lost or moved, each as good as it was."""
        frames = parse(stream)
        self.shuffle(frames)
        return b"".join(frame.bytes() for frame in frames)

    def field_unsealed(self, stream):
        frames = parse(stream)
        self.random.choice((self.forge_header, self.forge_field))(frames)
        return b"".join(frame.bytes() for frame in frames)

    DAMAGE = [cut, cut, flip, flip, flip, wipe, double, lose, exchange, splice, append,
              frames_unsealed, field_unsealed]

    # As one who means harm does.

    def shuffle(self, frames):
        pick = self.random.randrange(5)
        at = self.random.randrange(len(frames))
        to = self.random.randrange(len(frames))
        if pick == 0:
            frames.insert(to, frames[at].copy())
        elif pick == 1 and len(frames) > 1:
            frames.pop(at)
        elif pick == 2:
            frames[at], frames[to] = frames[to], frames[at]
        elif pick == 3:
            frames.insert(to, frames.pop(at))
        else:
            other = parse(self.random.choice(self.streams))
            frames.insert(to, self.random.choice(other))

    def shuffle_sections(self, frames):
        """Volumes doubled, lost, moved, or from another stream."""
        sections = [[]]
        for frame in frames:
            if frame.kind in (VOLUME, END):
                sections.append([])
            sections[-1].append(frame)
        if len(sections) > 2:
            to = self.random.randrange(1, len(sections))
            section = sections[self.random.randrange(1, len(sections) - 1)]
            pick = self.random.randrange(3)
            if pick:
                sections.insert(to, [frame.copy() for frame in section])
            if pick != 1:
                sections.remove(section)
        frames[:] = [frame for section in sections for frame in section]

    def pick(self, frames, *kinds):
        wanted = [frame for frame in frames if frame.kind in kinds]
        return self.random.choice(wanted) if wanted else None

    def forge_header(self, frames):
        header = self.random.choice(frames).header
        field = self.random.choice((KIND, FLAGS, CODEC, TABLE, RAW, STORED, RESERVED2, TABLE, RAW,
                                    STORED))
        bits = {KIND: 16, FLAGS: 16, CODEC: 8, RESERVED2: 64}.get(field, 32)
        number = self.random.randrange(9) if field in (KIND, CODEC) else self.number(header[field])
        header[field] = number & (1 << bits) - 1

    def forge_field(self, frames):
        frame = self.pick(frames, BEGIN, VOLUME, VOLUME_END, END, VOLUME)
        if not frame:
            return
        offset, form = self.random.choice(FIELDS[frame.kind])
        size = struct.calcsize(form)
        raw = frame.raw()
        if raw is None or len(raw) < offset + size:
            return
        old, = struct.unpack_from("<" + form, raw, offset)
        new = self.number(old) & (1 << 8 * size) - 1
        frame.set_raw(raw[:offset] + struct.pack("<" + form, new) + raw[offset + size:])

    def forge_ops(self, frames):
        frame = self.pick(frames, OPS)
        raw = frame and frame.raw()
        if not raw:
            return
        table = frame.header[TABLE]
        ops = [list(op) for op in frame.ops(raw)]
        for _ in range(self.random.choice((1, 1, 2, 5))):
            self.forge_op(ops)
        data = raw[table:]
        wanted = sum(op[1] for op in ops if op[3] == DATA) * SECTOR
        if self.random.random() < 0.8 and wanted < 1 << 20:
            data = (data or b"\x5a" * SECTOR) * (wanted // max(len(data), SECTOR) + 1)
            data = data[:wanted]
        if self.random.random() < 0.5:
            ops.sort(key=lambda op: op[0])
        frame.set_raw(b"".join(OP.pack(*op) for op in ops[:9000]), data,
                      self.random.randrange(2))

    def forge_op(self, ops):
        at = self.random.randrange(len(ops)) if ops else 0
        pick = self.random.randrange(8)
        if pick == 0 or not ops:
            ops.insert(at, [self.number() & (1 << 64) - 1, 128, 0, self.random.randrange(6), 0])
        elif pick == 1:
            ops.insert(at, list(ops[at]))
        elif pick == 2 and len(ops) > 1:
            ops.pop(at)
        elif pick == 3:
            ops[at][3] = self.random.randrange(6)
        elif pick == 4:
            ops[at][4] ^= 1
        elif pick == 5:
            ops[at][2] = self.random.randrange(4)
        else:
            field = self.random.randrange(2)
            blocks = self.random.randrange(-3, 4) * 128
            number = ops[at][field] + blocks if self.random.randrange(2) else \
                self.number(ops[at][field])
            ops[at][field] = number & (1 << 64) - 1

    def forge_payload(self, frames):
        frame = self.random.choice(frames)
        if frame.payload:
            frame.payload = self.flip(frame.payload)

    def forge_data(self, frames):
        """Other bytes of data: the one thing that a reader cannot refuse."""
        frame = self.pick(frames, OPS)
        raw = frame and frame.raw()
        if raw and len(raw) > frame.header[TABLE]:
            table = frame.header[TABLE]
            frame.set_raw(raw[:table], self.flip(raw[table:]), self.random.randrange(2))

    def forge_catalog(self, frames):
        frame = self.pick(frames, CATALOG)
        raw = frame and frame.raw()
        if not raw:
            return
        numbers = list(re.finditer(rb"\d+", raw))
        if numbers and self.random.random() < 0.6:
            found = self.random.choice(numbers)
            raw = raw[:found.start()] + b"%d" % self.number(int(found.group())) + raw[found.end():]
        else:
            raw = self.random.choice((self.flip, self.lose, self.double, self.wipe))(raw)
        if raw:
            frame.set_raw(raw, codec=self.random.randrange(2))

    HARM = [shuffle, shuffle_sections, forge_header, forge_field, forge_field, forge_ops,
            forge_ops, forge_ops, forge_payload, forge_data, forge_catalog]

    def mutant(self):
        """(what it is, whether it was made right again, the stream it is of, itself)"""
        stream = self.random.choice(self.streams)
        if self.random.random() < 1 / 3:
            damage = self.random.choice(self.DAMAGE)
            return damage.__name__, False, stream, damage(self, stream)
        frames = parse(stream)
        names = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            harm = self.random.choice(self.HARM)
            names.append(harm.__name__)
            harm(self, frames)
        if self.random.random() < 0.5:
            names.append("totals")
            Mender(frames).mend()
        return "+".join(names), True, stream, seal(frames)
