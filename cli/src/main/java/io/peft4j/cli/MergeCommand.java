package io.peft4j.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code merge}: writes a model whose weights hold the adapter. */
@Command(
        name = "merge",
        description =
                "Writes a complete Hugging Face directory with the adapter in the weights. Sums are"
                        + " taken in float32 and rounded once.")
final class MergeCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private PlaceOptions place;
    @Mixin private RewriteOptions paths;
    @Mixin private JsonOption json;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "float32, bfloat16 or float16 to write (default: the base model's).")
    private @Nullable String dtype;

    @Override
    public Integer call() throws IOException {
        base.check();
        place.check();
        paths.check();
        FloatType given = dtype == null ? null : FloatType.parse(dtype);
        try (LoadedModel loaded =
                LoadedModel.open(
                        base.source(),
                        paths.adapter(),
                        place,
                        stored -> MergedModel.kept(stored, given),
                        spec.commandLine().getErr())) {
            Path output = paths.output();
            MergedModel merged = MergedModel.write(loaded, output, given);
            String text = json.text(() -> merged.json(output), () -> merged.text(output));
            spec.commandLine().getOut().print(text);
        }
        return 0;
    }
}
