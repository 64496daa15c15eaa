package io.peft4j.tuning.preference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.AdapterTrainable;
import io.peft4j.tuning.LanguageModel;
import io.peft4j.tuning.TrainingConfig;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The reference's log-probabilities take long for much data, and are computed beforehand. */
class InterruptedReferenceTest {

    private static final int PAIRS = 2 * ReferenceScores.KEEP_EVERY + 10;

    /** Stands for a kill: nothing catches it. */
    private static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    @TempDir Path directory;
    private final List<PreferencePair> pairs = new ArrayList<>();
    private int asked;

    @BeforeEach
    void readPairs() throws IOException {
        List<PreferencePair> few = DpoGoldens.pairs();
        for (int i = 0; i < PAIRS; i++) {
            pairs.add(few.get(i % few.size()));
        }
    }

    @AfterEach
    void clear() {
        Thread.interrupted();
    }

    /** Trains for two steps, and tells of each batch of the reference; a batch is a pair. */
    private void run(String output, IntConsumer onBatch) throws IOException {
        asked = 0;
        try (CausalLm model = DpoGoldens.llama();
                AdaptedModel adapted = Adapters.load(model.block(), DpoGoldens.start("dora"))) {
            DpoTrainer.train(
                    counting(LanguageModel.of(model), onBatch),
                    new AdapterTrainable(adapted),
                    pairs,
                    List.of(),
                    DpoConfig.builder()
                            .optPrecomputeReferenceLogProbs(true)
                            .optReferenceCache(directory.resolve(output).resolve("cache"))
                            .build(),
                    TrainingConfig.builder().optBatchSize(1).optMaxSteps(2).build(),
                    directory.resolve(output));
        }
    }

    private LanguageModel counting(LanguageModel model, IntConsumer onBatch) {
        return (LanguageModel)
                Proxy.newProxyInstance(
                        LanguageModel.class.getClassLoader(),
                        new Class<?>[] {LanguageModel.class},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("rowLosses")) {
                                onBatch.accept(++asked);
                            }
                            try {
                                return method.invoke(model, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        });
    }

    private static void interruptAt(int batch, int wanted) {
        if (batch == wanted) {
            Thread.currentThread().interrupt();
        }
    }

    private List<String> cache(String output) {
        String[] names = directory.resolve(output).resolve("cache").toFile().list();
        return Arrays.stream(names).map(name -> name.replaceAll("[0-9a-f]{64}", "HASH")).toList();
    }

    private byte[] answers(String output) throws IOException {
        String[] names = directory.resolve(output).resolve("cache").toFile().list();
        return Files.readAllBytes(directory.resolve(output).resolve("cache").resolve(names[0]));
    }

    private byte[] adapter(String output) throws IOException {
        return Files.readAllBytes(directory.resolve(output).resolve("adapter_model.safetensors"));
    }

    private void assertTheSame(String output) throws IOException {
        assertThat(cache(output)).containsExactly("reference-HASH.safetensors");
        run("whole", batch -> {});
        assertThat(asked).isEqualTo(PAIRS);
        assertThat(answers(output)).isEqualTo(answers("whole"));
        assertThat(adapter(output)).isEqualTo(adapter("whole"));
    }

    @Test
    void anInterruptedComputationGoesOnWhereItWasToTheSameBits() throws IOException {
        assertThatThrownBy(() -> run("cut", batch -> interruptAt(batch, 7)))
                .isInstanceOf(InterruptedIOException.class)
                .hasMessageContaining("of 7 of " + PAIRS + " pairs were known");
        assertThat(Thread.interrupted()).isTrue();
        assertThat(cache("cut")).containsExactly("reference-HASH.partial.safetensors");
        assertThat(directory.resolve("cut/checkpoints")).doesNotExist();
        run("cut", batch -> {});
        assertThat(asked).isEqualTo(PAIRS - 7);
        assertTheSame("cut");
    }

    @Test
    void aKillCostsTheBatchesSinceTheLastWriteAndNoMore() throws IOException {
        int at = ReferenceScores.KEEP_EVERY + 5;
        assertThatThrownBy(
                        () ->
                                run(
                                        "cut",
                                        batch -> {
                                            if (batch == at) {
                                                throw new Killed();
                                            }
                                        }))
                .isInstanceOf(Killed.class);
        run("cut", batch -> {});
        assertThat(asked).isEqualTo(PAIRS - ReferenceScores.KEEP_EVERY);
        assertTheSame("cut");
    }

    @Test
    void whatIsKeptAndDamagedIsComputedAnew() throws IOException {
        assertThatThrownBy(() -> run("cut", batch -> interruptAt(batch, 7)))
                .isInstanceOf(InterruptedIOException.class);
        assertThat(Thread.interrupted()).isTrue();
        Path cache = directory.resolve("cut/cache");
        Files.write(cache.resolve(cache.toFile().list()[0]), new byte[] {1, 2, 3});
        run("cut", batch -> {});
        assertThat(asked).isEqualTo(PAIRS);
        assertTheSame("cut");
    }

    @Test
    void anInterruptInTheLastBatchKeepsAll() throws IOException {
        assertThatThrownBy(() -> run("cut", batch -> interruptAt(batch, PAIRS)))
                .isInstanceOf(InterruptedIOException.class)
                .hasMessageContaining("of " + PAIRS + " of " + PAIRS + " pairs were known");
        assertThat(Thread.interrupted()).isTrue();
        run("cut", batch -> {});
        assertThat(asked).isZero();
        assertTheSame("cut");
    }
}
