package io.peft4j.serving;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.gguf.GgufFile;
import io.peft4j.lora.PortableLora;
import io.peft4j.lora.PortableModule;
import io.peft4j.models.ModelConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Lays an adapter out as llama.cpp's converter does: names, order of rows, stacked experts. */
final class LlamaCppAdapter {

    /** The pairs of a layer's experts, one behind the other; zeros where an expert has none. */
    private static final class Stack {

        private final int in;
        private final int out;
        private final float[] a;
        private final float[] b;

        Stack(PortableModule any, int experts) {
            in = any.in();
            out = any.out();
            a = new float[Math.multiplyExact(experts, any.a().length)];
            b = new float[Math.multiplyExact(experts, any.b().length)];
        }

        void put(PortableModule module, int expert) {
            System.arraycopy(module.a(), 0, a, expert * module.a().length, module.a().length);
            System.arraycopy(module.b(), 0, b, expert * module.b().length, module.b().length);
        }
    }

    private LlamaCppAdapter() {}

    /**
     * Makes the file.
     *
     * @param lora the adapter
     * @param model the base model's settings
     * @param name what to call it in the file
     * @return the file, to be written
     * @throws AdapterConfigException if llama.cpp cannot have one of the modules
     */
    static GgufFile of(PortableLora lora, ModelConfig model, String name) {
        LlamaCppNames names = new LlamaCppNames(model);
        lora.modules().forEach(module -> requirePlace(names, module.path()));
        GgufFile file =
                new GgufFile()
                        .add("general.architecture", names.architecture())
                        .add("general.type", "adapter")
                        .add("adapter.type", "lora")
                        .add("general.name", name)
                        .add("adapter.lora.alpha", (float) lora.rank())
                        .add("general.quantization_version", 2);
        Map<String, Stack> stacks = new LinkedHashMap<>();
        for (PortableModule module : lora.modules()) {
            for (LlamaCppNames.Place place : names.places(module.path())) {
                if (place.expert() < 0) {
                    addPair(file, module, place);
                } else {
                    stacks.computeIfAbsent(
                                    place.tensor(), tensor -> new Stack(module, names.experts()))
                            .put(module, place.expert());
                }
            }
        }
        stacks.forEach(
                (tensor, stack) -> {
                    file.add(a(tensor), stack.a, names.experts(), lora.rank(), stack.in);
                    file.add(b(tensor), stack.b, names.experts(), stack.out, lora.rank());
                });
        return file;
    }

    private static void requirePlace(LlamaCppNames names, String module) {
        names.refusal(module)
                .ifPresent(
                        text -> {
                            throw new AdapterConfigException(
                                    text + "; merge the adapter into the model instead");
                        });
    }

    private static void addPair(GgufFile file, PortableModule module, LlamaCppNames.Place place) {
        int rank = module.rank();
        if (module.isEmbedding()) {
            file.add(
                    a(place.tensor()),
                    transposed(module.a(), rank, module.in()),
                    module.in(),
                    rank);
        } else {
            file.add(a(place.tensor()), module.a(), rank, module.in());
        }
        float[] rows = module.b();
        int count = module.out();
        if (place.half() >= 0) {
            count /= 2;
            int from = place.half() * count * rank;
            rows = Arrays.copyOfRange(rows, from, from + count * rank);
        } else if (place.heads() > 0) {
            rows = interleaved(rows, rank, place.heads());
        }
        file.add(b(place.tensor()), rows, count, rank);
    }

    private static String a(String tensor) {
        return tensor + ".weight.lora_a";
    }

    private static String b(String tensor) {
        return tensor + ".weight.lora_b";
    }

    private static float[] transposed(float[] values, int rows, int columns) {
        float[] result = new float[values.length];
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                result[column * rows + row] = values[row * columns + column];
            }
        }
        return result;
    }

    /**
     * Brings the rows of each head into the order of llama.cpp's rotary positions, which turns
     * neighbours: row i of the first half comes before row i of the second.
     */
    private static float[] interleaved(float[] values, int rank, int heads) {
        float[] result = new float[values.length];
        int half = values.length / rank / heads / 2;
        for (int head = 0; head < heads; head++) {
            for (int side = 0; side < 2; side++) {
                for (int i = 0; i < half; i++) {
                    int from = (head * 2 + side) * half + i;
                    int to = (head * half + i) * 2 + side;
                    System.arraycopy(values, from * rank, result, to * rank, rank);
                }
            }
        }
        return result;
    }
}
