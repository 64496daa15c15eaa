package io.peft4j.torchscript;

import io.peft4j.files.AtomicFiles;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A copy of an archive with something wrong. */
final class EditedArchive {

    private final Map<String, byte[]> records = new LinkedHashMap<>();

    EditedArchive(Path original) throws IOException {
        try (ZipRecords zip = ZipRecords.open(original)) {
            for (String name : zip.entries().keySet()) {
                records.put(name, zip.read(name, 1 << 30));
            }
        }
    }

    EditedArchive put(String name, byte[] content) {
        records.put(name, content);
        return this;
    }

    EditedArchive remove(String name) {
        records.remove(name);
        return this;
    }

    EditedArchive bytes(String name, UnaryOperator<byte[]> edit) {
        records.computeIfPresent(name, (key, content) -> edit.apply(content));
        return this;
    }

    /** Replaces the first place of some bytes of a record, which must be there. */
    EditedArchive replace(String name, String from, String to) {
        return bytes(
                name,
                content -> {
                    String text = new String(content, StandardCharsets.ISO_8859_1);
                    if (!text.contains(from)) {
                        throw new IllegalArgumentException(from + " is not in " + name);
                    }
                    int at = text.indexOf(from);
                    return (text.substring(0, at) + to + text.substring(at + from.length()))
                            .getBytes(StandardCharsets.ISO_8859_1);
                });
    }

    Path write(Path target) throws IOException {
        AtomicFiles.writeStream(
                target,
                stream -> {
                    try (RecordWriter writer = new RecordWriter("archive", stream)) {
                        for (Map.Entry<String, byte[]> record : records.entrySet()) {
                            writer.put(record.getKey(), record.getValue());
                        }
                    }
                });
        return target;
    }

    /** With one record compressed, as a zip bomb is. */
    Path writeCompressed(Path target, String compressed) throws IOException {
        try (OutputStream stream = Files.newOutputStream(target);
                ZipOutputStream zip = new ZipOutputStream(stream)) {
            for (Map.Entry<String, byte[]> record : records.entrySet()) {
                ZipEntry entry = new ZipEntry("archive/" + record.getKey());
                if (!record.getKey().equals(compressed)) {
                    CRC32 crc = new CRC32();
                    crc.update(record.getValue());
                    entry.setMethod(ZipEntry.STORED);
                    entry.setSize(record.getValue().length);
                    entry.setCrc(crc.getValue());
                }
                zip.putNextEntry(entry);
                zip.write(record.getValue());
                zip.closeEntry();
            }
        }
        return target;
    }
}
