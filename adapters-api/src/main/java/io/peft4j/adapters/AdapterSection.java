package io.peft4j.adapters;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.Tensors;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The adapters' part of a file of {@code Model.save}, behind the base's bytes; without adapters
 * there is none.
 *
 * <pre>
 *   section = magic (int), version (byte), number of adapters (int), adapter…
 *   adapter = name (UTF), number of tensors (int), tensor…
 *   tensor  = PEFT's key (UTF), DJL's encoding of an array
 * </pre>
 */
final class AdapterSection {

    private static final int MAGIC = 0x50344a41; // P4JA
    private static final byte VERSION = 1;
    private static final int MOST = 100_000;

    private final Map<String, Map<String, NDArray>> adapters = new LinkedHashMap<>();

    private AdapterSection() {}

    static void write(DataOutputStream out, List<Adapter> adapters) throws IOException {
        if (adapters.isEmpty()) {
            return;
        }
        out.writeInt(MAGIC);
        out.writeByte(VERSION);
        out.writeInt(adapters.size());
        for (Adapter adapter : adapters) {
            out.writeUTF(adapter.name());
            Map<String, Parameter> parameters = adapter.parameters();
            out.writeInt(parameters.size());
            for (Map.Entry<String, Parameter> parameter : parameters.entrySet()) {
                out.writeUTF(parameter.getKey());
                out.write(parameter.getValue().getArray().encode());
            }
        }
    }

    /** Reads what is left of a file; nothing, if it was saved without adapters. */
    static AdapterSection read(NDManager owner, DataInputStream in)
            throws IOException, MalformedModelException {
        AdapterSection section = new AdapterSection();
        int first = in.read();
        if (first < 0) {
            return section;
        }
        int magic = first << 24 | in.readUnsignedByte() << 16 | in.readUnsignedShort();
        if (magic != MAGIC) {
            throw new MalformedModelException(
                    "expected adapters or the end of the file after the base's parameters, but"
                            + " found other data: the file was saved from a larger model");
        }
        byte version = in.readByte();
        if (version != VERSION) {
            throw new MalformedModelException(
                    "expected adapters in format " + VERSION + ", but found format " + version);
        }
        int count = count(in, "adapters");
        for (int i = 0; i < count; i++) {
            Map<String, NDArray> tensors = new LinkedHashMap<>();
            section.adapters.put(in.readUTF(), tensors);
            int size = count(in, "tensors");
            for (int j = 0; j < size; j++) {
                tensors.put(in.readUTF(), owner.decode(in));
            }
        }
        return section;
    }

    private static int count(DataInputStream in, String what)
            throws IOException, MalformedModelException {
        int count = in.readInt();
        if (count < 0 || count > MOST) {
            throw new MalformedModelException(
                    "expected at most " + MOST + " " + what + ", but found " + count);
        }
        return count;
    }

    /** Makes sure that each adapter of the file is there with the same tensors. */
    void requireFits(List<Adapter> present) throws MalformedModelException {
        List<String> names = present.stream().map(Adapter::name).toList();
        List<String> wrong = new ArrayList<>();
        for (String name : adapters.keySet()) {
            int index = names.indexOf(name);
            if (index < 0) {
                wrong.add("adapter " + name + ", but the model has " + names + ": add it first");
            } else {
                compare(present.get(index), wrong);
            }
        }
        if (!wrong.isEmpty()) {
            throw new MalformedModelException("the file holds " + String.join("; ", wrong));
        }
    }

    private void compare(Adapter adapter, List<String> wrong) {
        Map<String, NDArray> tensors = tensors(adapter);
        Map<String, Parameter> parameters = adapter.parameters();
        Set<String> keys = new LinkedHashSet<>(tensors.keySet());
        keys.addAll(parameters.keySet());
        for (String key : keys) {
            NDArray tensor = tensors.get(key);
            Parameter parameter = parameters.get(key);
            String expected = parameter == null ? "none" : "" + parameter.getShape();
            String found = tensor == null ? "none" : "" + tensor.getShape();
            if (!expected.equals(found)) {
                String where = key + " of adapter " + adapter.name();
                wrong.add(found + " for " + where + ", which is " + expected);
            }
        }
    }

    private Map<String, NDArray> tensors(Adapter adapter) {
        return adapters.getOrDefault(adapter.name(), Map.of());
    }

    /** Overwrites the adapters' values; adapters that are not in the file keep theirs. */
    void copyInto(List<Adapter> present) {
        for (Adapter adapter : present) {
            Map<String, Parameter> parameters = adapter.parameters();
            tensors(adapter)
                    .forEach(
                            (key, tensor) -> {
                                Parameter parameter = parameters.get(key);
                                if (parameter != null) {
                                    Tensors.copy(tensor, parameter.getArray());
                                }
                            });
        }
    }
}
