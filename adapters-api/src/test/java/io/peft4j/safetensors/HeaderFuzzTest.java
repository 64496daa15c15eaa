package io.peft4j.safetensors;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Arrays;

/** Runs the recorded inputs; with JAZZER_FUZZ=1 it searches for new ones. */
class HeaderFuzzTest {

    @FuzzTest
    void anyBytesParseOrAreRefusedTyped(byte[] data) {
        int dataBytes = data.length == 0 ? 0 : Byte.toUnsignedInt(data[0]);
        byte[] header = data.length == 0 ? data : Arrays.copyOfRange(data, 1, data.length);
        Header parsed;
        try {
            parsed = HeaderParser.parse("fuzz", header, dataBytes);
        } catch (SafetensorsException e) {
            return;
        }
        long covered = 0;
        for (TensorInfo tensor : parsed.tensors()) {
            if (tensor.begin() != covered || tensor.end() < tensor.begin()) {
                throw new AssertionError("accepted a gap or an overlap at " + tensor);
            }
            covered = tensor.end();
        }
        if (covered != dataBytes) {
            throw new AssertionError("accepted " + covered + " bytes of " + dataBytes);
        }
    }
}
