package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import io.peft4j.safetensors.Dtype;
import io.peft4j.safetensors.SafetensorsWriter;
import io.peft4j.safetensors.TensorSource;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How much memory of its own a process takes while it loads a model, measured in a fresh one. */
@EnabledOnOs(OS.LINUX)
class LoadingMemoryTest {

    private static final long MEGABYTE = 1 << 20;

    @TempDir private Path directory;

    /** What the child process runs: directory, type. It prints the floor and the peak in bytes. */
    static final class Child {

        private Child() {}

        public static void main(String[] args) throws Exception {
            Dtype type = Dtype.valueOf(args[1]);
            // what an engine, its kernels and this library take before a weight is read
            CausalLm.load(Path.of(args[2]), Device.cpu(), type).close();
            long floor = anonymous();
            AtomicLong peak = new AtomicLong(floor);
            AtomicBoolean done = new AtomicBoolean();
            Thread watcher =
                    new Thread(
                            () -> {
                                while (!done.get()) {
                                    peak.accumulateAndGet(anonymous(), Math::max);
                                    Thread.yield();
                                }
                            });
            watcher.start();
            try (CausalLm model = CausalLm.load(Path.of(args[0]), Device.cpu(), type)) {
                done.set(true);
                watcher.join();
                peak.accumulateAndGet(anonymous(), Math::max);
                System.out.println(floor + " " + peak.get() + " " + model.parameters().size());
            }
        }

        private static long anonymous() {
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
                String line = lines.filter(l -> l.startsWith("RssAnon:")).findFirst().orElseThrow();
                return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** A tensor that is the same numbers over and over. */
    private record Repeated(Dtype dtype, List<Long> shape) implements TensorSource {

        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            ByteBuffer piece = ByteBuffer.allocate((int) MEGABYTE);
            while (piece.hasRemaining()) {
                piece.put((byte) (piece.position() % 61)); // no pattern is a NaN in any type
            }
            long left = TensorSource.elementCount(shape) * dtype.bytes();
            while (left > 0) {
                piece.clear().limit((int) Math.min(left, MEGABYTE));
                left -= channel.write(piece);
            }
        }
    }

    private static JsonObject config() {
        JsonObject json = new JsonObject();
        json.addProperty("model_type", "llama");
        json.addProperty("vocab_size", 24_000);
        json.addProperty("hidden_size", 1024);
        json.addProperty("intermediate_size", 3072);
        json.addProperty("num_hidden_layers", 3);
        json.addProperty("num_attention_heads", 16);
        json.addProperty("num_key_value_heads", 4);
        return json;
    }

    /** Returns the number of elements of all weights. */
    private long write(Dtype stored, boolean sharded) throws IOException {
        JsonObject json = config();
        Files.writeString(directory.resolve("config.json"), json.toString());
        Map<String, Shape> shapes = ModelConfig.of(json, "test").tensors();
        Map<String, Repeated> tensors = new LinkedHashMap<>();
        shapes.forEach(
                (name, shape) ->
                        tensors.put(
                                name, new Repeated(stored, TensorSource.shape(shape.getShape()))));
        if (sharded) {
            writeShards(tensors);
        } else {
            SafetensorsWriter.write(directory.resolve("model.safetensors"), tensors);
        }
        return shapes.values().stream().mapToLong(Shape::size).sum();
    }

    private void writeShards(Map<String, Repeated> tensors) throws IOException {
        List<Map<String, Repeated>> shards = List.of(new LinkedHashMap<>(), new LinkedHashMap<>());
        JsonObject places = new JsonObject();
        tensors.forEach(
                (name, tensor) -> {
                    int number = places.size() % 2;
                    shards.get(number).put(name, tensor);
                    places.addProperty(name, number + ".safetensors");
                });
        for (int i = 0; i < 2; i++) {
            SafetensorsWriter.write(directory.resolve(i + ".safetensors"), shards.get(i));
        }
        JsonObject index = new JsonObject();
        index.add("weight_map", places);
        Files.writeString(directory.resolve("model.safetensors.index.json"), index.toString());
    }

    @ParameterizedTest
    @CsvSource({
        "F32,F32,false",
        "BF16,BF16,true",
        "F32,BF16,true",
        "BF16,F32,false",
        "F64,F16,false"
    })
    void loadingTakesTheWeightsAndLittleMore(Dtype stored, Dtype type, boolean sharded)
            throws Exception {
        long weights = write(stored, sharded) * type.bytes();
        Path output = directory.resolve("out");
        Process child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-XX:+UseSerialGC",
                                // the heap is the JVM's own: all of it is part of the floor
                                "-Xms64m",
                                "-Xmx64m",
                                "-XX:+AlwaysPreTouch",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Child.class.getName(),
                                directory.toString(),
                                type.name(),
                                TestData.path("golden/llama3/model").toString())
                        .redirectOutput(output.toFile())
                        .redirectError(directory.resolve("err").toFile())
                        .start();
        assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue())
                .as(Files.readString(directory.resolve("err"), StandardCharsets.UTF_8))
                .isZero();
        String[] numbers = Files.readString(output).strip().split(" ", -1);
        long floor = Long.parseLong(numbers[0]);
        long taken = Long.parseLong(numbers[1]) - floor;
        // what the floor's tiny model left free is used again
        assertThat(taken).isBetween(weights * 97 / 100, weights * 115 / 100);
        assertThat(floor).isLessThan(250 * MEGABYTE);
    }
}
