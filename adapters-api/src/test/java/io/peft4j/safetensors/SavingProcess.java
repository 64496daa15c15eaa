package io.peft4j.safetensors;

import io.peft4j.files.AtomicDirectories;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** Saves over the same file, and publishes one directory after the other, until it is killed. */
final class SavingProcess {

    private SavingProcess() {}

    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        for (int round = Integer.parseInt(arguments[1]); ; round++) {
            float[] a = new float[60_000];
            Arrays.fill(a, round);
            Map<String, TensorSource> tensors =
                    Map.of(
                            "a", TensorSources.ofFloats(Dtype.F32, a, 60, 1000),
                            "b", TensorSources.ofFloats(Dtype.F64, a, a.length));
            SafetensorsWriter.write(folder.resolve("adapter_model.safetensors"), tensors);
            String text = "round " + round;
            AtomicDirectories.publish(
                    folder.resolve("checkpoint-" + round),
                    directory -> {
                        for (int i = 0; i < 3; i++) {
                            Files.writeString(directory.resolve("part" + i), text);
                        }
                    });
            System.out.println(round);
        }
    }
}
