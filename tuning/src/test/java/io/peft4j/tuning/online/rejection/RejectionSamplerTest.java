package io.peft4j.tuning.online.rejection;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.models.GenerationConfig;
import io.peft4j.tuning.DatasetOptions;
import io.peft4j.tuning.Example;
import io.peft4j.tuning.ResumeMismatchException;
import io.peft4j.tuning.SftDataset;
import io.peft4j.tuning.online.Answers;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.CompletionSampler;
import io.peft4j.tuning.online.OnlineModel;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import io.peft4j.tuning.online.judges.ExactMatch;
import io.peft4j.tuning.online.judges.FinalAnswer;
import io.peft4j.tuning.online.rejection.RejectionConfig.Keep;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is kept of a tiny model's answers, and that an interruption changes nothing. */
class RejectionSamplerTest {

    private static final int EACH = 3;
    private static final Map<String, String> MODEL = Map.of("model", "tiny");
    private static final SamplingObserver QUIET = (done, total) -> {};

    @TempDir private Path directory;
    private OnlineModel model;
    private List<Prompt> prompts = List.of();
    private Path output;

    @BeforeEach
    void open() throws IOException {
        model = OnlineModel.trained("lora");
        prompts = prompts("2+2=", "The sky is", "a b c", "Up or down? ", "five");
        output = directory.resolve("sft.jsonl");
    }

    @AfterEach
    void close() {
        model.close();
    }

    private List<Prompt> prompts(String... texts) {
        List<Prompt> all = new ArrayList<>();
        for (String text : texts) {
            JsonObject row = new JsonObject();
            row.addProperty("prompt", text);
            all.add(new Prompt(model.tokenizer().encode(text, true), text, row));
        }
        return all;
    }

    private CompletionSampler sampler(double temperature) {
        GenerationConfig config =
                GenerationConfig.builder().optMaxNewTokens(5).optTemperature(temperature).build();
        return new CompletionSampler(model.model(), model.tokenizer(), config, 2 * EACH);
    }

    /** The tiny model never ends an answer itself. */
    private static RejectionConfig.Builder config() {
        return RejectionConfig.builder().optNumGenerations(EACH).optKeepUnfinished(true);
    }

    private RejectionReport run(RejectionConfig config, boolean resume, SamplingObserver observer)
            throws IOException {
        return new RejectionSampler(sampler(1), OnlineModel.REWARDS, config)
                .run(prompts, output, MODEL, resume, observer);
    }

    private static List<JsonObject> rows(Path file) throws IOException {
        return Files.readAllLines(file).stream()
                .map(line -> JsonParser.parseString(line).getAsJsonObject())
                .toList();
    }

    private static double letters(Completion completion) {
        return OnlineModel.LETTERS.rewards(List.of(completion))[0];
    }

    @Test
    void theBestOfEachPromptsAnswersIsKept() throws IOException {
        RejectionReport report = run(config().build(), false, QUIET);
        List<Completion> all = sampler(1).sample(prompts, EACH, 42, () -> {});
        List<JsonObject> rows = rows(output);
        assertThat(rows).hasSize(prompts.size());
        double best = 0;
        for (int i = 0; i < prompts.size(); i++) {
            List<Completion> some = all.subList(i * EACH, (i + 1) * EACH);
            double most = some.stream().mapToDouble(one -> letters(one)).max().orElseThrow();
            Completion first =
                    some.stream().filter(one -> letters(one) == most).findFirst().orElseThrow();
            assertThat(rows.get(i).keySet()).containsExactly("prompt", "completion", "reward");
            assertThat(rows.get(i).get("prompt").getAsString()).isEqualTo(prompts.get(i).text());
            assertThat(rows.get(i).get("completion").getAsString()).isEqualTo(first.text());
            assertThat(rows.get(i).get("reward").getAsDouble()).isEqualTo(most);
            best += most / prompts.size();
        }
        assertThat(report.prompts()).isEqualTo(5);
        assertThat(report.answeredPrompts()).isEqualTo(5);
        assertThat(report.samples()).isEqualTo(15);
        assertThat(report.accepted()).isEqualTo(5);
        assertThat(report.acceptedShare()).isCloseTo(1.0 / EACH, within(1e-12));
        assertThat(report.unfinished()).isEqualTo(15);
        assertThat(report.bestReward()).isCloseTo(best, within(1e-12));
        assertThat(report.acceptedReward()).isCloseTo(best, within(1e-12));
        double mean = all.stream().mapToDouble(one -> letters(one)).average().orElseThrow();
        assertThat(report.meanReward()).isCloseTo(mean, within(1e-12)).isBetween(0.01, best);
        assertThat(report.rewards().get("letters").mean()).isCloseTo(mean, within(1e-12));
        JsonObject stats =
                JsonParser.parseString(Files.readString(directory.resolve("sft.stats.json")))
                        .getAsJsonObject();
        assertThat(stats.get("accepted").getAsInt()).isEqualTo(5);
        assertThat(stats.getAsJsonObject("settings").get("model").getAsString()).isEqualTo("tiny");
        assertThat(directory.toFile().list()).hasSize(2);
    }

    @Test
    void allThatReachTheThresholdAreKept() throws IOException {
        List<Double> rewards =
                sampler(1).sample(prompts, EACH, 7, () -> {}).stream()
                        .map(one -> letters(one))
                        .sorted()
                        .toList();
        double threshold =
                rewards.stream().filter(one -> one > rewards.get(0)).findFirst().orElseThrow();
        RejectionConfig config =
                config().optKeep(Keep.ALL).optThreshold(threshold).optSeed(7).build();
        RejectionReport report = run(config, false, QUIET);
        long reaching = rewards.stream().filter(reward -> reward >= threshold).count();
        assertThat(report.accepted()).isEqualTo((int) reaching).isLessThan(rewards.size());
        assertThat(rows(output))
                .hasSize((int) reaching)
                .allMatch(row -> row.get("reward").getAsDouble() >= threshold);
    }

    @Test
    void aTextIsKeptOncePerPromptAndThatOnceInAll() throws IOException {
        prompts = prompts("2+2=", "2+2=", "2+2=");
        RejectionReport report =
                new RejectionSampler(
                                sampler(0), // always the same answer
                                OnlineModel.REWARDS,
                                config().optKeep(Keep.ALL).optThreshold(-1).build())
                        .run(prompts, output, MODEL, false, QUIET);
        assertThat(rows(output)).hasSize(1);
        assertThat(report.accepted()).isEqualTo(1);
        assertThat(report.answeredPrompts()).isEqualTo(1);
        assertThat(report.duplicates()).isEqualTo(8);
    }

    @Test
    void anAnswerThatWasCutIsNotKeptUnlessAskedFor() throws IOException {
        RejectionConfig config = RejectionConfig.builder().optNumGenerations(EACH).build();
        RejectionReport report = run(config, false, QUIET);
        assertThat(report.unfinished()).isEqualTo(15);
        assertThat(report.accepted()).isZero();
        assertThat(report.acceptedReward()).isZero();
        assertThat(output).isEmptyFile();
    }

    @Test
    void fineTuningReadsTheResult() throws IOException {
        run(config().build(), false, QUIET);
        SftDataset data =
                SftDataset.read(
                        output, model.tokenizer(), DatasetOptions.training(model.model().config()));
        List<JsonObject> rows = rows(output);
        assertThat(data.examples()).hasSameSizeAs(rows);
        for (int i = 0; i < rows.size(); i++) {
            Example example = data.examples().get(i);
            long[] asked = prompts.get(i).ids();
            assertThat(Arrays.copyOf(example.ids(), asked.length)).isEqualTo(asked);
            String said =
                    model.tokenizer()
                            .decode(
                                    Arrays.copyOfRange(
                                            example.ids(), asked.length, example.length()),
                                    true);
            assertThat(said).isEqualTo(rows.get(i).get("completion").getAsString());
            assertThat(example.labelled()).isEqualTo(example.length() - asked.length);
        }
    }

    @Test
    void messagesStayMessages() throws IOException {
        String row = "{\"prompt\": [{\"role\": \"user\", \"content\": \"2+2?\"}], \"answer\": 4}";
        Prompt one = Answers.prompt(row);
        prompts = List.of(new Prompt(model.tokenizer().encode("2+2?", true), "2+2?", one.row()));
        run(config().build(), false, QUIET);
        JsonObject written = rows(output).get(0);
        assertThat(written.get("prompt")).isEqualTo(one.row().get("prompt"));
        JsonObject message = written.getAsJsonArray("completion").get(0).getAsJsonObject();
        assertThat(written.getAsJsonArray("completion")).hasSize(1);
        assertThat(message.get("role").getAsString()).isEqualTo("assistant");
        assertThat(message.get("content").getAsString()).isNotEmpty();
    }

    @Test
    void aRunThatWasKilledAnywhereGivesTheSameFile() throws IOException {
        RejectionReport whole = run(config().build(), false, QUIET);
        byte[] expected = Files.readAllBytes(output);
        byte[] stats = Files.readAllBytes(RejectionSampler.stats(output));
        byte[] answers = answersOfAll();
        Set<Integer> left = new HashSet<>();
        for (int cut = 0; cut <= answers.length; cut += answers.length / 12) {
            Files.delete(output);
            Files.delete(RejectionSampler.stats(output));
            Files.write(RejectionSampler.partial(output), Arrays.copyOf(answers, cut));
            List<Integer> progress = new ArrayList<>();
            RejectionReport report =
                    run(config().build(), true, (done, total) -> progress.add(done));
            assertThat(report).isEqualTo(whole);
            assertThat(output).hasBinaryContent(expected);
            assertThat(RejectionSampler.stats(output)).hasBinaryContent(stats);
            assertThat(RejectionSampler.partial(output)).doesNotExist();
            left.add(progress.get(0));
        }
        // two prompts fill a batch: a run goes on behind whole batches
        assertThat(left).contains(0, 2, 4).isSubsetOf(0, 2, 4, 5);
    }

    /** What is on the disk when all prompts are answered and nothing is chosen yet. */
    private byte[] answersOfAll() throws IOException {
        Path finished = output;
        output = directory.resolve("other.jsonl");
        try {
            assertThatThrownBy(
                            () ->
                                    run(
                                            config().build(),
                                            false,
                                            (done, total) -> {
                                                if (done == total) {
                                                    throw new IllegalStateException("killed");
                                                }
                                            }))
                    .hasMessage("killed");
            return Files.readAllBytes(RejectionSampler.partial(output));
        } finally {
            output = finished;
        }
    }

    @Test
    void zerosAtTheEndOfTheAnswersAreTakenForNothing() throws IOException {
        byte[] answers = answersOfAll();
        int last = answers.length - 40;
        Arrays.fill(answers, last, answers.length - 1, (byte) 0);
        Files.write(RejectionSampler.partial(output), answers);
        List<Integer> progress = new ArrayList<>();
        RejectionReport report = run(config().build(), true, (done, total) -> progress.add(done));
        assertThat(progress).containsExactly(4, 5);
        assertThat(report.accepted()).isEqualTo(5);
    }

    @Test
    void anInterruptLeavesWhatIsDone() throws IOException {
        assertThatThrownBy(
                        () ->
                                run(
                                        config().build(),
                                        false,
                                        (done, total) -> {
                                            if (done == 2) {
                                                Thread.currentThread().interrupt();
                                            }
                                        }))
                .isInstanceOf(SamplingInterruptedException.class)
                .hasMessage("interrupted after 2 of 5 prompts; it can be resumed from there");
        assertThat(Thread.interrupted()).isTrue();
        assertThat(output).doesNotExist();
        List<Integer> progress = new ArrayList<>();
        RejectionReport resumed = run(config().build(), true, (done, total) -> progress.add(done));
        assertThat(progress).containsExactly(2, 4, 5);
        byte[] bytes = Files.readAllBytes(output);
        output = directory.resolve("uninterrupted.jsonl");
        assertThat(run(config().build(), false, QUIET)).isEqualTo(resumed);
        assertThat(output).hasBinaryContent(bytes);
    }

    /** What comes next writes files, whose channels an interrupt would close. */
    @Test
    void anInterruptInTheLastBatchIsToldAsOne() throws IOException {
        int[] judged = new int[1];
        Reward interrupting =
                new Reward(
                        "interrupting",
                        answers -> {
                            judged[0] += answers.size();
                            if (judged[0] == prompts.size() * EACH) {
                                Thread.currentThread().interrupt();
                            }
                            return new double[answers.size()];
                        });
        RejectionSampler sampler =
                new RejectionSampler(sampler(1), List.of(interrupting), config().build());
        assertThatThrownBy(() -> sampler.run(prompts, output, MODEL, false, QUIET))
                .isInstanceOf(SamplingInterruptedException.class)
                .hasMessageContaining("interrupted after 5 of 5 prompts");
        assertThat(Thread.interrupted()).isTrue();
        assertThat(sampler.run(prompts, output, MODEL, true, QUIET).accepted()).isEqualTo(5);
        assertThat(judged[0]).as("nothing is sampled again").isEqualTo(prompts.size() * EACH);
    }

    @Test
    void promptsThatCannotBeJudgedOrAnsweredAreRefusedBeforeAnythingIsSampled() {
        RejectionSampler judged =
                new RejectionSampler(
                        sampler(1),
                        List.of(new Reward("final_answer", new FinalAnswer())),
                        config().build());
        assertThatThrownBy(() -> judged.run(prompts, output, MODEL, false, QUIET))
                .isInstanceOf(RewardException.class)
                .hasMessageContaining("in a row that has the keys [prompt]");
        assertThat(RejectionSampler.partial(output)).doesNotExist();
        int context = model.model().config().contextLength();
        List<Prompt> last = new ArrayList<>(prompts);
        last.add(new Prompt(new long[context - 4], "long", new JsonObject()));
        assertThatThrownBy(
                        () ->
                                new RejectionSampler(
                                                sampler(1), OnlineModel.REWARDS, config().build())
                                        .run(last, output, MODEL, false, QUIET))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("in prompt 6 and 5 for the answer");
        assertThat(RejectionSampler.partial(output)).doesNotExist();
    }

    @Test
    void judgesOfOneNameAreRefused() {
        List<Reward> twice =
                List.of(OnlineModel.REWARDS.get(0), new Reward("letters", new ExactMatch(), 2));
        assertThatThrownBy(() -> new RejectionSampler(sampler(1), twice, config().build()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("expected rewards of different names, found");
    }

    @Test
    void aFinishedRunIsNotSampledAgain() throws IOException {
        RejectionReport report = run(config().build(), false, QUIET);
        RejectionReport again =
                run(
                        config().build(),
                        true,
                        (done, total) -> {
                            throw new IllegalStateException("it samples");
                        });
        assertThat(again).isEqualTo(report);
        assertThatThrownBy(() -> run(config().build(), false, QUIET))
                .isInstanceOf(FileAlreadyExistsException.class);
    }

    @Test
    void anotherRunsAnswersAreRefused() throws IOException {
        Files.write(RejectionSampler.partial(output), answersOfAll());
        assertThatThrownBy(() -> run(config().build(), false, QUIET))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("resume or delete it");
        assertThatThrownBy(() -> run(config().optThreshold(0.5).build(), true, QUIET))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("threshold was nothing, now it is 0.5");
        prompts = prompts("2+2=");
        assertThatThrownBy(() -> run(config().optSeed(1).build(), true, QUIET))
                .isInstanceOf(ResumeMismatchException.class)
                .hasMessageContaining("seed was 42, now it is 1")
                .hasMessageContaining("prompts_sha256 was ");
        Files.writeString(RejectionSampler.partial(output), "{\"prompt\": \"2+2=\"}\n");
        assertThatThrownBy(() -> run(config().build(), true, QUIET))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("expected the answers of a sampling, found another file");
    }

    @Test
    void contradictionsAreRefused() {
        assertThatThrownBy(() -> config().optKeep(Keep.ALL).build())
                .hasMessage("expected a threshold where all answers are kept that reach it");
        assertThatThrownBy(() -> config().optNumGenerations(0).build())
                .hasMessage("expected one answer to each prompt at least, found 0");
        assertThatThrownBy(() -> config().optThreshold(Double.NaN).build())
                .hasMessage("expected a finite threshold");
    }
}
