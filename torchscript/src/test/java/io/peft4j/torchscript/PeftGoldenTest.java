package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.AdamWOptimizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Gradients, training and merged outputs beside real PEFT on the same models. */
class PeftGoldenTest {

    private static final double OUTPUT = 1e-5;
    private static final double GRADIENT = 1e-5;
    private static final double STEPS = 2e-4;
    private static final Loss LOSS = Loss.softmaxCrossEntropyLoss();

    @TempDir Path temporary;

    @ParameterizedTest
    @CsvSource({
        "bert, model, bert_lora",
        "bert, model, bert_dora",
        "bert, model, bert_head",
        "net, '', net_lora",
        "net, '', net_dora",
        "forms, '', forms_lora",
        "forms, '', forms_dora",
        "torch214/bert, model, bert_lora",
        "torch214/bert, model, bert_dora",
        "torch214/net, '', net_lora",
        "torch214/net, '', net_dora",
        "torch214/forms, '', forms_lora",
        "torch214/forms, '', forms_dora",
    })
    void agreesWithPeft(String archive, String root, String name) throws Exception {
        compare(archive, root, name);
    }

    /**
     * Output and gradients are as far from those of the same numbers in float32 as PEFT's are;
     * training in half precision is not repeatable beyond that, since AdamW makes much of small
     * gradients.
     */
    @ParameterizedTest
    @CsvSource({
        "bert_half, bert_half_lora",
        "bert_half, bert_half_dora",
        "bert_bfloat16, bert_bfloat16_lora",
        "bert_bfloat16, bert_bfloat16_dora",
        "torch214/bert_bfloat16, bert_bfloat16_lora",
        "torch214/bert_bfloat16, bert_bfloat16_dora",
    })
    void isNoFartherFromFloat32ThanPeftOnHalfPrecision(String archive, String name)
            throws Exception {
        try (Model model = Model.newInstance(name, "PyTorch")) {
            NDManager manager = model.getNDManager();
            PeftGolden golden = new PeftGolden(manager, name);
            TorchScriptBlock block =
                    TorchScriptBlock.load(PeftGolden.archive(archive), "model", manager);
            try (AdaptedModel adapted = Adapters.load(block, golden.directory)) {
                Map<String, Parameter> parameters = adapted.adapter().parameters();
                NDArray out = backward(adapted, golden);
                assertThat(PeftGolden.distance(Map.of("", out), Map.of("", golden.get("out32"))))
                        .isLessThan(1.2 * golden.distance("out", "out32"));
                Map<String, NDArray> gradients = new LinkedHashMap<>();
                parameters.forEach((key, p) -> gradients.put(key, p.getArray().getGradient()));
                assertThat(PeftGolden.distance(gradients, golden.all("grad32")))
                        .isLessThan(1.2 * golden.distance("grad", "grad32"));
                adapted.mergeAndUnload();
            }
            writtenArchiveComputesTheSame(block, golden);
        }
    }

    /** One pass; the output in float32. */
    private static NDArray backward(AdaptedModel adapted, PeftGolden golden) {
        adapted.adapter()
                .parameters()
                .values()
                .forEach(p -> p.getArray().setRequiresGradient(true));
        try (GradMode on = GradMode.enabled()) {
            NDArray out = run(adapted.block(), golden, true);
            NDArray logits = Tensors.float32(out.getManager(), out);
            Gradients.backward(LOSS.evaluate(new NDList(golden.get("labels")), new NDList(logits)));
            return logits;
        }
    }

    private void compare(String archive, String root, String name) throws Exception {
        try (Model model = Model.newInstance(name, "PyTorch")) {
            NDManager manager = model.getNDManager();
            PeftGolden golden = new PeftGolden(manager, name);
            TorchScriptBlock block =
                    TorchScriptBlock.load(PeftGolden.archive(archive), root, manager);
            assertOutput("base", run(block, golden, false), golden.get("base"), OUTPUT);
            try (AdaptedModel adapted = Adapters.load(block, golden.directory)) {
                assertOutput("out", run(adapted.block(), golden, false), golden.get("out"), OUTPUT);
                train(adapted, golden);
                Map<String, Parameter> parameters = adapted.adapter().parameters();
                Map<String, NDArray> after = golden.all("step5");
                assertThat(parameters.keySet()).isEqualTo(after.keySet());
                after.forEach(
                        (key, expected) ->
                                PeftGolden.assertClose(
                                        key, parameters.get(key).getArray(), expected, STEPS));
                assertOutput(
                        "trained",
                        run(adapted.block(), golden, false),
                        golden.get("trained"),
                        OUTPUT);
                adapted.mergeAndUnload();
            }
            assertOutput("merged", run(block, golden, false), golden.get("merged"), OUTPUT);
            writtenArchiveComputesTheSame(block, golden);
        }
    }

    private static void train(AdaptedModel adapted, PeftGolden golden) {
        Map<String, Parameter> parameters = adapted.adapter().parameters();
        AdamWOptimizer optimizer =
                AdamWOptimizer.builder()
                        .optLearningRateTracker(Tracker.fixed(1e-2f))
                        .optWeightDecays(0.01f)
                        .build();
        for (int step = 0; step < 5; step++) {
            NDArray logits = backward(adapted, golden);
            if (step == 0) {
                PeftGolden.assertClose("out", logits, golden.get("out"), OUTPUT);
                golden.all("grad")
                        .forEach(
                                (key, expected) -> {
                                    NDArray found = parameters.get(key).getArray().getGradient();
                                    PeftGolden.assertClose(
                                            "grad " + key, found, expected, GRADIENT);
                                });
            }
            try (GradMode off = GradMode.disabled()) {
                parameters.forEach(
                        (key, parameter) -> {
                            NDArray gradient = parameter.getArray().getGradient();
                            optimizer.update(key, parameter.getArray(), gradient);
                            Gradients.zero(parameter.getArray());
                        });
            }
        }
        optimizer.close();
    }

    private void writtenArchiveComputesTheSame(TorchScriptBlock block, PeftGolden golden)
            throws IOException, ai.djl.MalformedModelException {
        Path written = temporary.resolve("merged.pt");
        block.writeArchive(written);
        try (Model stock = Model.newInstance("merged", "PyTorch")) {
            stock.load(written);
            NDArray expected = run(block, golden, false);
            NDArray found =
                    stock.getBlock()
                            .forward(
                                    new ParameterStore(stock.getNDManager(), false),
                                    golden.inputs(),
                                    false)
                            .singletonOrThrow();
            assertThat(Tensors.toFloats(found)).containsExactly(Tensors.toFloats(expected));
        }
        try (TorchScriptArchive plain = TorchScriptArchive.open(written);
                TorchScriptArchive original = TorchScriptArchive.open(block.file())) {
            assertThat(plain.code().records()).isEqualTo(original.code().records());
            assertThat(plain.zip().entries().keySet()).isEqualTo(original.zip().entries().keySet());
        }
    }

    private static void assertOutput(String what, NDArray found, NDArray expected, double bound) {
        try (found) {
            PeftGolden.assertClose(what, found, expected, bound);
        }
    }

    private static NDArray run(ai.djl.nn.Block block, PeftGolden golden, boolean training) {
        NDManager manager = golden.get("labels").getManager();
        return block.forward(new ParameterStore(manager, false), golden.inputs(), training)
                .singletonOrThrow();
    }
}
