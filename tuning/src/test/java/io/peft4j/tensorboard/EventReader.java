package io.peft4j.tensorboard;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Reads event files by the formats' descriptions; shares no code with what writes them. */
final class EventReader {

    /** One field of a message; a varint and fixed bytes are a number, the rest bytes. */
    record Field(int number, int wireType, long value, byte[] bytes) {

        List<Field> message() {
            return fields(bytes);
        }

        String text() {
            return new String(bytes, StandardCharsets.UTF_8);
        }

        double real() {
            return wireType == 1
                    ? Double.longBitsToDouble(value)
                    : Float.intBitsToFloat((int) value);
        }
    }

    private EventReader() {}

    /** The files of a run in the order in which TensorBoard reads them. */
    static List<Path> files(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.filter(p -> p.getFileName().toString().contains("tfevents"))
                    .sorted()
                    .toList();
        }
    }

    static List<List<Field>> events(Path file) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<List<Field>> events = new ArrayList<>();
        while (in.hasRemaining()) {
            byte[] length = new byte[8];
            in.get(length);
            requireChecksum(length, in.getInt());
            byte[] record =
                    new byte
                            [Math.toIntExact(
                                    ByteBuffer.wrap(length)
                                            .order(ByteOrder.LITTLE_ENDIAN)
                                            .getLong())];
            in.get(record);
            requireChecksum(record, in.getInt());
            events.add(fields(record));
        }
        return events;
    }

    private static void requireChecksum(byte[] data, int masked) throws IOException {
        int rotated = masked - 0xa282ead8;
        int found = (rotated >>> 17) | (rotated << 15);
        if (found != crc32c(data)) {
            throw new IOException("wrong checksum");
        }
    }

    /** Bit by bit, with the reversed polynomial of Castagnoli. */
    private static int crc32c(byte[] data) {
        int crc = -1;
        for (byte b : data) {
            crc ^= b & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc >>> 1) ^ ((crc & 1) == 0 ? 0 : 0x82f63b78);
            }
        }
        return ~crc;
    }

    static List<Field> fields(byte[] message) {
        ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
        List<Field> fields = new ArrayList<>();
        while (in.hasRemaining()) {
            long key = varint(in);
            int number = (int) (key >>> 3);
            int type = (int) key & 7;
            byte[] bytes = {};
            long value = 0;
            switch (type) {
                case 0 -> value = varint(in);
                case 1 -> value = in.getLong();
                case 2 -> {
                    bytes = new byte[(int) varint(in)];
                    in.get(bytes);
                }
                case 5 -> value = in.getInt();
                default -> throw new IllegalArgumentException("wire type " + type);
            }
            fields.add(new Field(number, type, value, bytes));
        }
        return fields;
    }

    private static long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte b = in.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
    }

    static Field field(List<Field> fields, int number) {
        return fields.stream().filter(f -> f.number() == number).findFirst().orElseThrow();
    }

    static boolean has(List<Field> fields, int number) {
        return fields.stream().anyMatch(f -> f.number() == number);
    }

    /** A point of a curve. */
    record Point(long step, String tag, double value) {}

    /** The scalars that TensorBoard shows: what a restart voids is gone. */
    static List<Point> scalars(Path directory) throws IOException {
        List<Point> points = new ArrayList<>();
        for (Path file : files(directory)) {
            for (List<Field> event : events(file)) {
                long step = has(event, 2) ? field(event, 2).value() : 0;
                if (has(event, 7)) {
                    points.removeIf(point -> point.step() >= step);
                }
                if (has(event, 5)) {
                    List<Field> value = field(field(event, 5).message(), 1).message();
                    if (has(value, 2)) {
                        points.add(new Point(step, field(value, 1).text(), field(value, 2).real()));
                    }
                }
            }
        }
        return points;
    }
}
