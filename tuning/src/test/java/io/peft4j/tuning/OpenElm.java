package io.peft4j.tuning;

import ai.djl.Device;
import io.peft4j.models.CausalLm;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The golden OpenELM and its batches, and those of the other families. */
final class OpenElm {

    static final Path DIRECTORY = TestData.path("golden/openelm");

    private OpenElm() {}

    static CausalLm load() throws IOException {
        return CausalLm.load(DIRECTORY.resolve("model"), Device.cpu());
    }

    /** The padded batch as rows: padding is taken off, since batches pad by themselves. */
    static List<Example> paddedBatch() throws IOException {
        return paddedBatch(DIRECTORY);
    }

    static List<Example> paddedBatch(Path directory) throws IOException {
        try (SafetensorsFile golden =
                SafetensorsFile.open(directory.resolve("golden.safetensors"))) {
            long[] ids = golden.toLongs("padded_input_ids");
            long[] labels = golden.toLongs("labels");
            long[] mask = golden.toLongs("attention_mask");
            int length = Math.toIntExact(golden.tensor("labels").shape().get(1));
            List<Example> rows = new ArrayList<>();
            for (int start = 0; start < ids.length; start += length) {
                int tokens = 0;
                while (tokens < length && mask[start + tokens] == 1) {
                    tokens++;
                }
                rows.add(
                        new Example(
                                java.util.Arrays.copyOfRange(ids, start, start + tokens),
                                java.util.Arrays.copyOfRange(labels, start, start + tokens)));
            }
            return rows;
        }
    }
}
