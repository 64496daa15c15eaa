package io.peft4j.cli;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.cli.compare.Fingerprints;
import io.peft4j.models.CausalLm;
import io.peft4j.models.Tokenizer;
import io.peft4j.safetensors.Dtype;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A base model with its tokenizer and, if asked for, a saved adapter. */
final class LoadedModel implements AutoCloseable {

    private final Path directory;
    private final @Nullable Path givenTokenizer;
    private final CausalLm model;
    private final @Nullable Tokenizer tokenizer;
    private @Nullable AdaptedModel adapter;
    private final @Nullable Path adapterDirectory;

    private LoadedModel(
            Path directory,
            @Nullable Path givenTokenizer,
            CausalLm model,
            @Nullable Tokenizer tokenizer,
            @Nullable AdaptedModel adapter,
            @Nullable Path adapterDirectory) {
        this.directory = directory;
        this.givenTokenizer = givenTokenizer;
        this.model = model;
        this.tokenizer = tokenizer;
        this.adapter = adapter;
        this.adapterDirectory = adapterDirectory;
    }

    /** As below, with flags that say where and what to compute in. */
    static LoadedModel open(
            Source base, @Nullable Source adapter, ComputeOptions compute, PrintWriter err)
            throws IOException {
        return open(base, adapter, compute.place(), compute::choose, err);
    }

    /**
     * Loads a model, and fetches what lies on the hub.
     *
     * @param base the model
     * @param adapter an adapter to put on it, or null
     * @param place tokenizer and device
     * @param dtype what to compute in, given the type of the checkpoint
     * @param err takes the progress of downloads
     */
    static LoadedModel open(
            Source base,
            @Nullable Source adapter,
            PlaceOptions place,
            UnaryOperator<Dtype> dtype,
            PrintWriter err)
            throws IOException {
        Path directory = base.fetchModel(err);
        Path adapterDirectory = adapter == null ? null : adapter.fetchAdapter(err);
        if (adapterDirectory != null) {
            RewardAdapters.refuse(adapterDirectory);
        }
        CausalLm model =
                CausalLm.load(
                        directory, place.device(), dtype.apply(CausalLm.storedDtype(directory)));
        Tokenizer tokenizer = null;
        try {
            Path given = place.tokenizer();
            tokenizer =
                    given != null ? Tokenizer.load(given) : Tokenizer.find(directory).orElse(null);
            return new LoadedModel(
                    directory,
                    given,
                    model,
                    tokenizer,
                    adapterDirectory == null
                            ? null
                            : Adapters.load(model.block(), adapterDirectory),
                    adapterDirectory);
        } catch (IOException | RuntimeException e) {
            if (tokenizer != null) {
                tokenizer.close();
            }
            model.close();
            throw e;
        }
    }

    Path directory() {
        return directory;
    }

    CausalLm model() {
        return model;
    }

    Optional<Tokenizer> tokenizer() {
        return Optional.ofNullable(tokenizer);
    }

    Tokenizer requireTokenizer() {
        return tokenizer()
                .orElseThrow(
                        () ->
                                new UsageException(
                                        directory
                                                + " has no tokenizer.json; give --tokenizer with"
                                                + " the tokenizer of this model"));
    }

    /** Writes the model, weights as they are now, as a complete directory. */
    void save(Path output, Dtype dtype) throws IOException {
        model.save(output, dtype);
        addTokenizer(output);
    }

    /** Puts the tokenizer of {@code --tokenizer}, if one was given, beside a saved model. */
    void addTokenizer(Path output) throws IOException {
        if (givenTokenizer != null) {
            TokenizerFiles.copy(givenTokenizer, output);
        }
    }

    /** Tells it and its adapter apart from others, text by name, for a resumed run to compare. */
    Map<String, String> identity() throws IOException {
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("base_sha256", Fingerprints.ofModel(directory));
        identity.put("base_dtype", model.dtype().torchName());
        if (adapterDirectory != null) {
            identity.put("adapter_sha256", Fingerprints.ofModel(adapterDirectory));
        }
        return identity;
    }

    /** Where the files of {@link #requireAdapter} are. */
    Path requireAdapterDirectory() {
        return Optional.ofNullable(adapterDirectory).orElseThrow();
    }

    AdaptedModel requireAdapter() {
        return Optional.ofNullable(adapter).orElseThrow();
    }

    /** The model with its adapter, or with none if none was asked for, to put others on it. */
    AdaptedModel adapters() {
        if (adapter == null) {
            adapter = Adapters.open(model.block());
        }
        return adapter;
    }

    @Override
    public void close() {
        if (adapter != null) {
            adapter.close();
        }
        if (tokenizer != null) {
            tokenizer.close();
        }
        model.close();
    }
}
