package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.repository.zoo.ZooModel;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HostedClassifierTest {

    @TempDir private Path directory;
    private @Nullable String cacheBefore;
    private HostedEncoder hosted;

    @BeforeEach
    void serve() throws Exception {
        cacheBefore = System.getProperty("DJL_CACHE_DIR");
        System.setProperty("DJL_CACHE_DIR", directory.resolve("cache").toString());
        hosted = new HostedEncoder();
    }

    @AfterEach
    void stop() {
        hosted.close();
        if (cacheBefore == null) {
            System.clearProperty("DJL_CACHE_DIR");
        } else {
            System.setProperty("DJL_CACHE_DIR", cacheBefore);
        }
    }

    @Test
    void anEncoderFromAServerLearnsToClassify() throws Exception {
        double accuracy =
                HostedClassifier.runExample(
                        hosted.url(),
                        HostedEncoder.file("tokenizer.json"),
                        HostedEncoder.file("train.tsv"),
                        HostedEncoder.file("test.tsv"),
                        directory.resolve("adapter"));
        assertThat(accuracy).isGreaterThan(0.9);
        assertThat(directory.resolve("adapter/adapter_model.safetensors")).exists();
    }

    /** Bit for bit: the same library on the same machine, with as many native threads. */
    @Test
    void anotherProcessPredictsTheSameFromTheUrlAndTheAdaptersFiles() throws Exception {
        Path adapter = directory.resolve("adapter");
        float[] here;
        try (HuggingFaceTokenizer tokenizer = tokenizer();
                NDManager data = NDManager.newBaseManager();
                ZooModel<NDList, NDList> model = HostedClassifier.load(hosted.url())) {
            Model trained = model.getWrappedModel();
            float[] untrained = logits(trained, tokenizer, data);
            try (AdaptedModel adapted =
                    HostedClassifier.fineTune(
                            trained, texts(data, tokenizer, HostedEncoder.file("train.tsv")))) {
                adapted.save(adapter);
                here = logits(trained, tokenizer, data);
            }
            assertThat(here).isNotEqualTo(untrained);
        }
        assertThat(hosted.downloads()).isEqualTo(1);
        Path there = directory.resolve("logits");
        Process child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "-DDJL_CACHE_DIR=" + directory.resolve("cache of the child"),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Child.class.getName(),
                                hosted.url(),
                                adapter.toString(),
                                there.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("child.log").toFile())
                        .start();
        boolean ended = child.waitFor(60, TimeUnit.SECONDS);
        child.destroyForcibly();
        assertThat(ended).isTrue();
        assertThat(child.exitValue()).as(Files.readString(directory.resolve("child.log"))).isZero();
        assertThat(hosted.downloads()).isEqualTo(2);
        assertThat(read(there)).containsExactly(here);
    }

    /** What a server does with a model's URL and an adapter's directory. */
    static final class Child {

        private Child() {}

        /** {@code URL ADAPTER OUTPUT}: writes the logits of the test data. */
        public static void main(String[] args) throws Exception {
            try (HuggingFaceTokenizer tokenizer = tokenizer();
                    NDManager data = NDManager.newBaseManager();
                    ZooModel<NDList, NDList> model = HostedClassifier.load(args[0]);
                    AdaptedModel adapted =
                            Adapters.load(model.getWrappedModel(), Path.of(args[1]));
                    DataOutputStream out =
                            new DataOutputStream(Files.newOutputStream(Path.of(args[2])))) {
                for (float value : logits(model.getWrappedModel(), tokenizer, data)) {
                    out.writeFloat(value);
                }
            }
        }
    }

    private static HuggingFaceTokenizer tokenizer() throws Exception {
        return HostedClassifier.tokenizer(HostedEncoder.file("tokenizer.json"));
    }

    private static HostedClassifier.Texts texts(
            NDManager data, HuggingFaceTokenizer tokenizer, Path file) throws Exception {
        return HostedClassifier.Texts.read(data, tokenizer, file);
    }

    private static float[] logits(Model model, HuggingFaceTokenizer tokenizer, NDManager data)
            throws Exception {
        try (NDArray logits =
                HostedClassifier.logits(
                        model, texts(data, tokenizer, HostedEncoder.file("test.tsv")))) {
            return logits.toFloatArray();
        }
    }

    private static float[] read(Path file) throws Exception {
        float[] values = new float[(int) (Files.size(file) / Float.BYTES)];
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            for (int i = 0; i < values.length; i++) {
                values[i] = in.readFloat();
            }
        }
        return values;
    }
}
