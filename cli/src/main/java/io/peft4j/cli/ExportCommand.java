package io.peft4j.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.peft4j.adapters.Adapter;
import io.peft4j.lora.PortableLora;
import io.peft4j.models.CausalLm;
import io.peft4j.serving.AdapterExport;
import io.peft4j.serving.ExportReport;
import io.peft4j.serving.Server;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code export}: writes an adapter in the form that a server reads. */
@Command(
        name = "export",
        description =
                "Writes an adapter so that a server computes what this program does: each module's"
                        + " scaling in B, one rank, alpha = r. DoRA is cut to --rank by a singular"
                        + " value decomposition, or merged. What the server would refuse or pass over"
                        + " is refused.")
final class ExportCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;
    @Mixin private BaseModelOption base;
    @Mixin private PlaceOptions place;
    @Mixin private RewriteOptions paths;
    @Mixin private JsonOption json;

    @Option(
            names = "--for",
            required = true,
            paramLabel = "SERVER",
            converter = ServerConverter.class,
            description = "vllm, tgi, llama.cpp or djl-serving.")
    private Server server;

    @Option(
            names = "--rank",
            paramLabel = "R",
            description =
                    "The rank of all modules: smaller ones are filled up with zeros, larger ones and"
                            + " DoRA are cut, and the energy that is kept is printed (default: the"
                            + " smallest that holds the adapter).")
    private @Nullable Integer rank;

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description = "What djl-serving and llama.cpp call the adapter (default: default).")
    private @Nullable String name;

    @Option(
            names = "--merged",
            description =
                    "Writes the whole model with the adapter in its weights, as merge does; exact for"
                            + " every adapter.")
    private boolean merged;

    @Override
    public Integer call() throws IOException {
        base.check();
        place.check();
        paths.check();
        if (merged && (rank != null || name != null)) {
            throw new UsageException("--merged writes no adapter: leave --rank and --name out");
        }
        AdapterExport export = export();
        try (LoadedModel loaded =
                LoadedModel.open(
                        base.source(),
                        paths.adapter(),
                        place,
                        stored -> MergedModel.kept(stored, null),
                        spec.commandLine().getErr())) {
            spec.commandLine()
                    .getOut()
                    .print(merged ? merged(loaded) : exported(loaded.model(), loaded, export));
        }
        return 0;
    }

    private AdapterExport export() {
        try {
            AdapterExport.Builder builder =
                    AdapterExport.builder().setServer(server).optBaseModel(base.source().name());
            if (rank != null) {
                builder.optRank(rank);
            }
            if (name != null) {
                builder.optName(name);
            }
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }

    private String merged(LoadedModel loaded) throws IOException {
        MergedModel model = MergedModel.write(loaded, paths.output(), null);
        return json.text(() -> model.json(paths.output()), () -> model.text(paths.output()));
    }

    private String exported(CausalLm model, LoadedModel loaded, AdapterExport export)
            throws IOException {
        Adapter adapter = loaded.requireAdapter().adapter();
        if (rank == null && PortableLora.exactRank(adapter).isEmpty()) {
            throw new UsageException(
                    "--adapter "
                            + paths.adapter().name()
                            + " is "
                            + adapter.config().method()
                            + ", whose change of a weight has full rank: give --rank to cut it to"
                            + " that rank, or --merged to write the whole model");
        }
        ExportReport report = export.write(model, adapter, paths.output());
        return json.text(() -> json(report), () -> text(report));
    }

    private static JsonObject json(ExportReport report) {
        JsonObject object = new JsonObject();
        object.addProperty("for", report.server().toString());
        object.addProperty("written", report.written().toString());
        object.addProperty("rank", report.rank());
        object.addProperty("least_kept_energy", report.leastEnergy());
        JsonArray modules = new JsonArray();
        for (ExportReport.Kept kept : report.modules()) {
            JsonObject module = new JsonObject();
            module.addProperty("path", kept.path());
            module.addProperty("kept_energy", kept.energy());
            modules.add(module);
        }
        object.add("modules", modules);
        JsonArray needs = new JsonArray();
        report.needs().forEach(needs::add);
        object.add("needs", needs);
        return object;
    }

    private static String text(ExportReport report) {
        String kept =
                report.leastEnergy() == 1
                        ? "nothing was cut"
                        : String.format(
                                Locale.ROOT,
                                "the rank keeps %.2f %% of the change's energy, of the worst module"
                                        + " %.2f %%",
                                100 * mean(report),
                                100 * report.leastEnergy());
        String text =
                String.format(
                        Locale.ROOT,
                        "wrote %s for %s: %d modules of rank %d; %s%n",
                        report.written(),
                        report.server(),
                        report.modules().size(),
                        report.rank(),
                        kept);
        return report.needs().isEmpty()
                ? text
                : text
                        + String.format(
                                "start %s with %s%n",
                                report.server(), String.join(" ", report.needs()));
    }

    private static double mean(ExportReport report) {
        return report.modules().stream().mapToDouble(ExportReport.Kept::energy).average().orElse(1);
    }
}
