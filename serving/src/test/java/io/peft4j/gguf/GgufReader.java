package io.peft4j.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads GGUF as its specification says, as far as adapters have it; written apart from the writer.
 */
public final class GgufReader {

    /** A tensor with its sizes innermost first, as in the file. */
    public record Tensor(List<Long> sizes, List<Float> values) {}

    private final Map<String, Object> settings = new LinkedHashMap<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private GgufReader() {}

    public static GgufReader read(Path file) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        byte[] magic = new byte[4];
        in.get(magic);
        require(new String(magic, StandardCharsets.US_ASCII).equals("GGUF"), "magic");
        require(in.getInt() == 3, "version");
        long tensorCount = in.getLong();
        long settingCount = in.getLong();
        GgufReader found = new GgufReader();
        for (long i = 0; i < settingCount; i++) {
            String key = text(in);
            Object value =
                    switch (in.getInt()) {
                        case 4 -> in.getInt();
                        case 6 -> in.getFloat();
                        case 8 -> text(in);
                        default -> throw new IOException("unexpected type of " + key);
                    };
            require(found.settings.put(key, value) == null, key);
        }
        List<String> names = new ArrayList<>();
        List<List<Long>> sizes = new ArrayList<>();
        List<Long> offsets = new ArrayList<>();
        for (long i = 0; i < tensorCount; i++) {
            names.add(text(in));
            List<Long> shape = new ArrayList<>();
            int axes = in.getInt();
            for (int axis = 0; axis < axes; axis++) {
                shape.add(in.getLong());
            }
            sizes.add(shape);
            require(in.getInt() == 0, "float32");
            offsets.add(in.getLong());
        }
        int data = (in.position() + 31) / 32 * 32;
        for (int i = 0; i < names.size(); i++) {
            require(offsets.get(i) % 32 == 0, "alignment");
            in.position(Math.toIntExact(data + offsets.get(i)));
            long count = sizes.get(i).stream().reduce(1L, Math::multiplyExact);
            List<Float> values = new ArrayList<>();
            for (long j = 0; j < count; j++) {
                values.add(in.getFloat());
            }
            require(found.tensors.put(names.get(i), new Tensor(sizes.get(i), values)) == null, "");
        }
        return found;
    }

    private static String text(ByteBuffer in) {
        byte[] bytes = new byte[Math.toIntExact(in.getLong())];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static void require(boolean condition, String what) throws IOException {
        if (!condition) {
            throw new IOException("not as the specification says: " + what);
        }
    }

    public Map<String, Object> settings() {
        return settings;
    }

    public Map<String, Tensor> tensors() {
        return tensors;
    }
}
