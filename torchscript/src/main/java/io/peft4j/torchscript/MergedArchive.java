package io.peft4j.torchscript;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.torch.ElementTransfer;
import io.peft4j.torch.ScalarType;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/** Writes an archive anew, with the values that its parameters have now. */
final class MergedArchive {

    private final TorchScriptArchive archive;
    private final Map<String, List<View>> storages = new LinkedHashMap<>();

    private record View(StoredTensor tensor, Parameter parameter, ScalarType type) {}

    MergedArchive(TorchScriptArchive archive, Map<String, Parameter> parameters) {
        this.archive = archive;
        parameters.forEach(
                (path, parameter) -> {
                    int dot = path.lastIndexOf('.');
                    PickledObject module =
                            archive.modules().get(dot < 0 ? "" : path.substring(0, dot));
                    if (module != null
                            && module.attributes().get(path.substring(dot + 1))
                                    instanceof StoredTensor tensor
                            && tensor.scalarType() != null) {
                        storages.computeIfAbsent("data/" + tensor.storage(), k -> new ArrayList<>())
                                .add(new View(tensor, parameter, tensor.scalarType()));
                    }
                });
    }

    void write(OutputStream target) throws IOException {
        ZipRecords zip = archive.zip();
        try (RecordWriter writer =
                new RecordWriter(zip.folder(), new BufferedOutputStream(target, 1 << 16))) {
            for (ZipDirectory.Entry entry : zip.entries().values()) {
                String name = entry.name().substring(zip.folder().length() + 1);
                List<View> views = storages.get(name);
                if (views == null) {
                    writer.put(name, entry.size(), entry.crc(), out -> zip.copy(entry, out));
                } else if (views.stream().allMatch(view -> view.tensor().isWhole())) {
                    putWhole(writer, name, entry.size(), views.get(0));
                } else {
                    writer.put(name, scattered(name, views));
                }
            }
        }
    }

    /** In two rounds, since a record's checksum stands before it; nothing is held in memory. */
    private static void putWhole(RecordWriter writer, String name, long size, View view)
            throws IOException {
        CRC32 crc = new CRC32();
        copy(
                view,
                Channels.newChannel(
                        new OutputStream() {
                            @Override
                            public void write(int b) {
                                crc.update(b);
                            }

                            @Override
                            public void write(byte[] bytes, int from, int length) {
                                crc.update(bytes, from, length);
                            }
                        }));
        writer.put(name, size, crc.getValue(), target -> copy(view, Channels.newChannel(target)));
    }

    private static void copy(View view, WritableByteChannel channel) throws IOException {
        NDManager owner = view.parameter().getArray().getManager();
        try (ElementTransfer transfer = new ElementTransfer(owner)) {
            transfer.write(view.parameter().getArray(), view.type(), channel);
        }
    }

    /** A storage of which the parameters are parts, or in another order. */
    private byte[] scattered(String name, List<View> views) throws IOException {
        byte[] storage = archive.zip().read(name, Integer.MAX_VALUE - 8);
        for (View view : views) {
            ByteArrayOutputStream values = new ByteArrayOutputStream();
            copy(view, Channels.newChannel(values));
            scatter(ByteBuffer.wrap(values.toByteArray()), view, storage);
        }
        return storage;
    }

    private static void scatter(ByteBuffer values, View view, byte[] storage) {
        StoredTensor tensor = view.tensor();
        int width = view.type().bytes();
        int axes = tensor.shape().length;
        long[] index = new long[axes];
        while (values.hasRemaining()) {
            long at = tensor.offset();
            for (int axis = 0; axis < axes; axis++) {
                at += index[axis] * tensor.strides()[axis];
            }
            values.get(storage, Math.toIntExact(at * width), width);
            for (int axis = axes - 1; axis >= 0 && ++index[axis] == tensor.shape()[axis]; axis--) {
                index[axis] = 0;
            }
        }
    }
}
