package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a pipeline's file comes to, before anything is done. */
final class PipelinePlanTest {

    @TempDir private Path directory;

    private CommandRun plan(String yaml, Object... more) throws IOException {
        Path file = Files.writeString(directory.resolve("p.yaml"), yaml);
        return PipelineSample.run(file, append(more, "--dry-run"));
    }

    private static Object[] append(Object[] list, Object last) {
        Object[] longer = java.util.Arrays.copyOf(list, list.length + 1);
        longer[list.length] = last;
        return longer;
    }

    @Test
    void everyStageGetsTheCommonFlagsItsOutputAndTheAdapterOfTheStageBefore() throws IOException {
        CommandRun run =
                plan(
                        """
                        model: org/name
                        rank: 4
                        seed: 7
                        dtype: bfloat16
                        output: out
                        evaluation: {data: held out.jsonl}
                        stages:
                          sft: {command: train, data: a.jsonl, load-best: false}
                          prefer: {command: dpo, data: b.jsonl, loss-type: [sigmoid, ipo], rank: 8}
                          again: {command: dpo, data: "${prefer}/c.jsonl", adapter: "${sft}"}
                          fresh: {command: train, data: a.jsonl, adapter: none, no-shuffle: true}
                          last: {command: eval, data: d.jsonl}
                        """);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .isEqualTo(
                        """
                        # evaluation of org/name
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data 'held out.jsonl'
                        # sft
                        ./peft4j train --model org/name --rank 4 --seed 7 --dtype bfloat16 --data a.jsonl --output out/sft
                        # evaluation of sft
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data 'held out.jsonl' --adapter out/sft
                        # prefer
                        ./peft4j dpo --model org/name --rank 8 --seed 7 --dtype bfloat16 --data b.jsonl --loss-type sigmoid,ipo --adapter out/sft --output out/prefer
                        # evaluation of prefer
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data 'held out.jsonl' --adapter out/prefer
                        # again
                        ./peft4j dpo --model org/name --rank 4 --seed 7 --dtype bfloat16 --data out/prefer/c.jsonl --adapter out/sft --output out/again
                        # evaluation of again
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data 'held out.jsonl' --adapter out/again
                        # fresh
                        ./peft4j train --model org/name --rank 4 --seed 7 --dtype bfloat16 --data a.jsonl --no-shuffle --output out/fresh
                        # evaluation of fresh
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data 'held out.jsonl' --adapter out/fresh
                        # last
                        ./peft4j eval --model org/name --seed 7 --dtype bfloat16 --data d.jsonl --adapter out/fresh
                        """);
        assertThat(Path.of("out", "sft")).doesNotExist();
    }

    @Test
    void whatFullTrainingMadeIsTheModelOfTheNextStage() throws IOException {
        CommandRun run =
                plan(
                        """
                        model: org/name
                        output: out
                        stages:
                          all: {command: train, method: full, data: a.jsonl}
                          dpo: {data: b.jsonl}
                        """,
                        "--json");
        JsonArray stages = JsonParser.parseString(run.out()).getAsJsonArray();
        assertThat(stages.get(1).getAsJsonObject().get("command").getAsJsonArray().toString())
                .isEqualTo(
                        "[\"dpo\",\"--model\",\"out/all\",\"--data\",\"b.jsonl\",\"--output\",\"out/dpo\"]");
    }

    @Test
    void aCommandLineSaysOtherwiseForAllStagesOrOne() throws IOException {
        CommandRun run =
                plan(
                        """
                        model: org/name
                        seed: 1
                        output: out
                        stages:
                          sft: {command: train, data: a.jsonl}
                          dpo: {data: b.jsonl, beta: 0.2}
                        """,
                        "--set",
                        "seed=2",
                        "--set",
                        "dpo.beta=0.5",
                        "--output",
                        "other");
        assertThat(run.out())
                .contains("train --model org/name --seed 2 --data a.jsonl --output other/sft")
                .contains("dpo --model org/name --seed 2 --data b.jsonl --beta 0.5");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    data: a, lerning-rate: 1  | p.yaml:4: train has no flag "lerning-rate"; nearest: learning-rate
                    data: a, max_steps: 1     | p.yaml:4: train has no flag "max_steps"; nearest: max-steps
                    data: a, rank: two        | p.yaml:4: Invalid value for option '--rank': 'two' is not an int
                    rank: 2                   | p.yaml:4: the stage "sft" needs "data"
                    data: a, no-shuffle: 3    | p.yaml:4: "no-shuffle" must be true or false, but is "3"
                    data: a, output: b        | p.yaml:4: "output" is for the pipeline to say
                    data: a, resume: true     | p.yaml:4: "resume" is for the pipeline to say
                    data: a, rank:            | p.yaml:4: expected a value of "rank", found nothing
                    data: a, rank: {a: 1}     | p.yaml:4: expected a value of "rank", found a mapping
                    data: '${dpo}/x'          | p.yaml:4: ${dpo} is no stage before this one that writes something; what can be named here: embedded
                    data: '${foo}/x'          | p.yaml:4: ${foo} is no stage; what can be named here: embedded
                    data: a, data: b          | p.yaml:4: "data" stands here a second time
                    command: merge            | p.yaml:4: the command of a stage must be of train,
                    data: [a                  | p.yaml:4: not valid YAML: expected ',' or ']'
                    """)
    void aWrongStageIsRefusedWithFileAndLine(String flags, String message) throws IOException {
        CommandRun run =
                plan(
                        """
                        model: org/name
                        output: out
                        stages:
                          sft: {command: train, FLAGS}
                          dpo: {data: b}
                        """
                                .replace(
                                        flags.startsWith("command")
                                                ? "command: train, FLAGS"
                                                : "FLAGS",
                                        flags));
        assertThat(run.err()).contains(message);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    ranks: 3                     | p.yaml:3: no stage has a flag "ranks"; nearest: rank
                    evaluation: {data: a, adapter: x} | p.yaml:3: "adapter" is for the pipeline to say
                    evaluation: {rank: 3}       | p.yaml:3: eval has no flag "rank"
                    evaluation: 3               | p.yaml:3: expected flags of eval as "key: value", found "3"
                    model: other                | p.yaml:3: "model" stands here a second time
                    """)
    void aWrongCommonKeyIsRefusedWithFileAndLine(String line, String message) throws IOException {
        CommandRun run =
                plan(
                        """
                        model: org/name
                        output: out
                        LINE
                        stages:
                          sft: {command: train, data: a}
                        """
                                .replace("LINE", line));
        assertThat(run.err()).contains(message);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.code()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    ''                                       | the file is empty
                    'a: 1'                                   | p.yaml:1: "stages" is missing
                    '- a'                                    | p.yaml:1: expected a pipeline as "key: value", found a list
                    'stages: {}'                             | p.yaml:1: expected one stage at least, found none
                    'stages: {a b: {command: train}}'        | p.yaml:1: expected a stage's name of letters
                    '{output: a, stages: {embedded: {command: train}}}' | "embedded" names the embedded model
                    'stages: {train: {model: a, data: b}}'   | say where all goes, by "output"
                    """)
    void aFileOfAnotherFormIsRefused(String yaml, String message) throws IOException {
        CommandRun run = plan(yaml);
        assertThat(run.err()).contains(message);
        assertThat(run.err().lines()).hasSize(1);
        assertThat(run.code()).isEqualTo(2);
    }

    @Test
    void anUnknownStageOfTheCommandLineIsNamed() throws IOException {
        CommandRun run = plan("stages: {train: {model: a, data: b}}", "--set", "sft.rank=3");
        assertThat(run.err())
                .isEqualTo("peft4j: --set: there is no stage \"sft\"; there are train\n");
        assertThat(run.code()).isEqualTo(2);
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        CommandRun run = CommandRun.of("pipeline", "/nowhere.yaml");
        assertThat(run.err()).contains("no such file: /nowhere.yaml");
        assertThat(run.code()).isEqualTo(2);
    }
}
