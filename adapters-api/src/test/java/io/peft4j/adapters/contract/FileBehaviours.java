package io.peft4j.adapters.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.LoadReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;

/** Saving and loading in PEFT's format. */
interface FileBehaviours {

    @AdapterSpec(bias = false)
    default void whatIsSavedComesBackBitForBit(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        NDArray x = c.input();
        float[] active = c.run(adapted.block(), x);
        Map<String, List<Float>> values = AdapterCase.values(adapted.adapter());
        adapted.save(directory);
        adapted.close();

        AdaptedModel again = c.load(directory);
        assertThat(again.adapter().config().method()).isEqualTo(c.config().method());
        assertThat(AdapterCase.values(again.adapter())).isEqualTo(values);
        assertThat(c.run(again.block(), x)).isEqualTo(active);
        Adapter second = again.load("second", directory);
        assertThat(AdapterCase.values(second)).isEqualTo(values);
        Adapter third = again.add("third", c.config(), 9);
        third.load(directory);
        assertThat(AdapterCase.values(third)).isEqualTo(values);
    }

    @AdapterSpec(rank = 2, bias = false, storage = AdapterSpec.Storage.BFLOAT16)
    default void anAdapterOfANarrowBaseIsSavedInFull(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        adapted.save(directory);
        Adapter again = adapted.load("again", directory);
        assertThat(AdapterCase.values(again)).isEqualTo(AdapterCase.values(adapted.adapter()));
    }

    @AdapterSpec(rank = 3, bias = false)
    default void theSettingsComeBackFromTheirFile(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        adapted.save(directory);
        AdapterConfig read = Adapters.readConfig(directory);
        assertThat(read.method()).isEqualTo(c.config().method());
        assertThat(read.toPeft().json()).isEqualTo(c.config().toPeft().json());
        assertThat(Adapters.dryRun(c.base(), read)).isEqualTo(c.sites());
    }

    @AdapterSpec(rank = 2, bias = false)
    default void savingOverAnOlderAdapterReplacesIt(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        adapted.save(directory);
        List<String> files = SavedAdapter.files(directory);
        c.randomise(adapted.adapter(), 2);
        adapted.save(directory);
        assertThat(SavedAdapter.files(directory)).isEqualTo(files);
        Adapter again = adapted.load("again", directory);
        assertThat(AdapterCase.values(again)).isEqualTo(AdapterCase.values(adapted.adapter()));
    }

    @AdapterSpec(rank = 2, bias = false)
    default void severalAdaptersAreSavedBesideEachOther(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        Adapter other = adapted.add("other", c.config(3), 7);
        c.randomise(other, 3);
        adapted.save(directory);
        assertThat(directory.resolve("other")).isDirectory();
        Adapter again = adapted.load("again", directory.resolve("other"));
        assertThat(AdapterCase.values(again)).isEqualTo(AdapterCase.values(other));
        assertThat(again.config().toPeft().json()).isEqualTo(other.config().toPeft().json());
    }

    @AdapterSpec(rank = 2, bias = false)
    default void strictLoadingListsEveryDifferenceAndChangesNothing(
            AdapterCase c, @TempDir Path directory) throws IOException {
        AdaptedModel adapted = c.attach();
        adapted.save(directory);
        SavedAdapter saved = new SavedAdapter(directory);
        String missing = saved.keys().get(0);
        String misshaped = saved.keys().get(saved.keys().size() - 1);
        saved.remove(missing);
        saved.reshape(misshaped, 1, 1, 2);
        saved.add("base_model.model.nowhere.weight");

        c.randomise(adapted.adapter(), 2);
        Map<String, List<Float>> before = AdapterCase.values(adapted.adapter());
        assertThatThrownBy(() -> adapted.adapter().load(directory))
                .isInstanceOfSatisfying(
                        AdapterMismatchException.class,
                        e -> {
                            assertThat(e.report().missing()).containsExactly(missing);
                            assertThat(e.report().unexpected())
                                    .containsExactly("base_model.model.nowhere.weight");
                            assertThat(e.report().mismatched()).hasSize(1);
                        })
                .hasMessageContaining(missing)
                .hasMessageContaining(misshaped)
                .hasMessageContaining("(1, 1, 2)");
        assertThatThrownBy(() -> adapted.adapter().loadLeniently(directory))
                .isInstanceOf(AdapterMismatchException.class);
        assertThat(AdapterCase.values(adapted.adapter())).isEqualTo(before);
    }

    @AdapterSpec(rank = 2, bias = false)
    default void lenientLoadingTakesWhatFitsAndReportsTheRest(
            AdapterCase c, @TempDir Path directory) throws IOException {
        AdaptedModel adapted = c.attach();
        c.randomise(adapted.adapter(), 2);
        Map<String, List<Float>> first = AdapterCase.values(adapted.adapter());
        adapted.save(directory);
        SavedAdapter saved = new SavedAdapter(directory);
        String missing = saved.keys().get(0);
        saved.remove(missing);
        saved.add("base_model.model.nowhere.weight");

        c.randomise(adapted.adapter(), 3);
        List<Float> kept = AdapterCase.values(adapted.adapter()).get(missing);
        LoadReport report = adapted.adapter().loadLeniently(directory);
        assertThat(report.missing()).containsExactly(missing);
        assertThat(report.unexpected()).containsExactly("base_model.model.nowhere.weight");
        AdapterCase.values(adapted.adapter())
                .forEach(
                        (key, values) ->
                                assertThat(values)
                                        .as(key)
                                        .isEqualTo(key.equals(missing) ? kept : first.get(key)));
    }

    @AdapterSpec(rank = 2, bias = false)
    default void aDirectoryThatIsNoAdapterIsNamed(AdapterCase c, @TempDir Path directory)
            throws IOException {
        AdaptedModel adapted = c.attach();
        assertThatThrownBy(() -> adapted.load("other", directory))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(directory.toString());
        Path file = Files.createFile(directory.resolve("file"));
        assertThatThrownBy(() -> adapted.save(file)).isInstanceOf(IOException.class);
    }
}
