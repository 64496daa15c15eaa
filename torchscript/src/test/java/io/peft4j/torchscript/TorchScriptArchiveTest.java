package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TiedWeightException;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.ScalarType;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchScriptArchiveTest {

    private static Map<String, TorchScriptWeight> weights(String name) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(PeftGolden.archive(name))) {
            return archive.weights().stream()
                    .collect(Collectors.toMap(TorchScriptWeight::path, weight -> weight));
        }
    }

    private static List<String> updated(String name) throws IOException {
        try (TorchScriptArchive archive = TorchScriptArchive.open(PeftGolden.archive(name))) {
            return Surgery.plan(archive).updated().stream().map(TorchScriptWeight::path).toList();
        }
    }

    @Test
    void weightsAreListedByPathShapeTypeAndKind() throws IOException {
        Map<String, TorchScriptWeight> weights = weights("net");
        TorchScriptWeight up = weights.get("blocks.1.up.weight");
        assertThat(up.module()).isEqualTo("blocks.1.up");
        assertThat(up.shape()).isEqualTo(new Shape(12, 8));
        assertThat(up.type()).isEqualTo(ScalarType.FLOAT32);
        assertThat(up.kind()).isEqualTo(Site.Kind.LINEAR);
        assertThat(up.isAdaptable()).isTrue();
        assertThat(weights.get("embed.weight").kind()).isEqualTo(Site.Kind.EMBEDDING);
        assertThat(weights.get("conv.weight").kind()).isEqualTo(Site.Kind.CONV);
        assertThat(weights.get("head.bias").kind()).isNull();
        assertThat(weights("bert_half").values())
                .allMatch(weight -> weight.type() == ScalarType.FLOAT16);
        assertThat(weights("bert_bfloat16").values())
                .allMatch(weight -> weight.type() == ScalarType.BFLOAT16);
        assertThat(weights("forms").get("turned.weight").transposed()).isTrue();
    }

    @Test
    void everyFormOfALinearLayerTakesUpdatesUnlessItsWeightIsUsedElsewhere() throws IOException {
        assertThat(updated("forms"))
                .containsExactly("added.weight", "multiplied.weight", "last.weight");
        assertThat(updated("net"))
                .containsExactly(
                        "blocks.0.up.weight",
                        "blocks.0.down.weight",
                        "blocks.1.up.weight",
                        "blocks.1.down.weight",
                        "head.weight");
        assertThat(updated("bert")).hasSize(14);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"bert", "bert_bfloat16", "net", "forms", "tied_traced", "tied_scripted"})
    void archivesOfTorch214HaveTheSameWeightsToAdapt(String name) throws IOException {
        assertThat(weights("torch214/" + name)).isEqualTo(weights(name));
        assertThat(updated("torch214/" + name)).isEqualTo(updated(name));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "    y = torch.mul(weight, 2)\n    return torch.linear(x, weight, bias)\n",
                "    return torch.linear(weight, x, bias)\n",
                "    return torch.matmul(x, weight)\n",
                "    return torch.addmm(bias, x, torch.t(weight), beta=2, alpha=1)\n",
                "    return torch.linear(torch.linear(x, weight), bias, weight)\n",
            })
    void aLayerThatDoesMoreWithItsWeightIsLeftAlone(String body) {
        assertThat(LinearForms.rewrite(linear(body))).isNull();
    }

    @Test
    void callsKeepTheirArguments() {
        String text =
                LinearForms.rewrite(
                        linear(
                                "    _0 = torch.t(weight)\n"
                                        + "    h = torch.addmm(bias, (a).forward(x, [1, 2], \")\"),"
                                        + " _0)\n"
                                        + "    return torch.linear(h, self.weight)\n"));
        assertThat(text)
                .contains("  peft4j_update : List[Tensor]\n")
                .contains(
                        "h = __torch__.peft4j_low_rank.addmm(self.peft4j_update, bias,"
                                + " (a).forward(x, [1, 2], \")\"), _0)\n")
                .contains(
                        "return __torch__.peft4j_low_rank.linear(self.peft4j_update, h,"
                                + " self.weight)\n");
    }

    private static ClassText linear(String body) {
        String text =
                "class Linear(Module):\n  __parameters__ = [\"weight\", \"bias\", ]\n"
                        + "  __buffers__ = []\n  weight : Tensor\n  bias : Tensor\n"
                        + "  def forward(self: __torch__.Linear,\n    x: Tensor) -> Tensor:\n"
                        + "    weight = self.weight\n    bias = self.bias\n"
                        + body;
        return new ClassText("code/__torch__.py", 0, text.length(), text);
    }

    @Test
    void aTieThatATraceHasMadeOneIsSaid() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            assertThatThrownBy(
                            () -> TorchScriptBlock.load(PeftGolden.archive("tied_traced"), manager))
                    .isInstanceOf(TorchScriptException.class)
                    .hasMessageContaining("shares its memory with")
                    .hasMessageContaining("the trace has made one of the two")
                    .hasMessageEndingWith("before tracing, or script the model");
        }
    }

    @Test
    void aScriptedTieIsAdaptedOnOneSideAndNotMerged() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            TorchScriptBlock block =
                    TorchScriptBlock.load(PeftGolden.archive("tied_scripted"), manager);
            LoraConfig config = LoraConfig.builder().setRank(2).setTargetModules("head").build();
            try (AdaptedModel adapted = Adapters.attach(block, config)) {
                assertThatThrownBy(adapted::merge).isInstanceOf(TiedWeightException.class);
            }
        }
    }

    @Test
    void aScriptedTieCannotBeKeptTied() throws IOException {
        try (NDManager manager = NDManager.newBaseManager()) {
            TorchScriptBlock block =
                    TorchScriptBlock.load(PeftGolden.archive("tied_scripted"), manager);
            LoraConfig config =
                    LoraConfig.builder()
                            .setRank(2)
                            .setTargetModules("embed")
                            .optEnsureWeightTying(true)
                            .build();
            assertThatThrownBy(() -> Adapters.attach(block, config))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("embed cannot be kept tied to head");
        }
    }

    @Test
    void aRootThatIsNotThereIsSaid() {
        try (NDManager manager = NDManager.newBaseManager()) {
            assertThatThrownBy(
                            () -> TorchScriptBlock.load(PeftGolden.archive("bert"), "m", manager))
                    .isInstanceOf(TorchScriptException.class)
                    .hasMessageEndingWith("there is no module m");
        }
    }
}
