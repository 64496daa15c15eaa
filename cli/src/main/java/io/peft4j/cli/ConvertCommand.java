package io.peft4j.cli;

import io.peft4j.models.ExpertAdapters;
import io.peft4j.models.ModelConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code convert}: writes an adapter of experts in the other of PEFT's layouts. */
@Command(
        name = "convert",
        description =
                "Writes an adapter of Mixtral's experts for PEFT on transformers 5, where the experts"
                        + " of a layer are fused, or for single experts. Loading needs no"
                        + " conversion. Of the model only config.json is read.")
final class ConvertCommand implements Callable<Integer> {

    private static final String FUSED = "fused";
    private static final String SINGLE = "single";

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private RewriteOptions paths;

    @Option(
            names = "--experts",
            required = true,
            paramLabel = "LAYOUT",
            description =
                    "fused writes target_parameters gate_up_proj and down_proj, single writes w1, w2"
                            + " and w3 of each expert.")
    private String experts;

    @Override
    public Integer call() throws IOException {
        base.check();
        paths.check();
        if (!experts.equals(FUSED) && !experts.equals(SINGLE)) {
            throw new UsageException(
                    "--experts must be fused or single, but is \"" + experts + "\"");
        }
        PrintWriter err = spec.commandLine().getErr();
        Path directory = paths.adapter().fetchAdapter(err);
        Path output = paths.output();
        ModelConfig model = ModelConfig.read(base.source().fetchModel(err).resolve("config.json"));
        boolean fused = ExpertAdapters.isFused(directory);
        if (fused == experts.equals(FUSED)) {
            throw new UsageException(
                    "--experts " + experts + ": " + directory + " has this layout already");
        }
        if (fused) {
            ExpertAdapters.split(directory, output, model);
        } else {
            ExpertAdapters.fuse(directory, output, model);
        }
        spec.commandLine().getOut().printf("wrote %s with %s experts%n", output, experts);
        return 0;
    }
}
