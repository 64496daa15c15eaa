package io.peft4j.tuning;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.models.CausalLm;
import io.peft4j.models.HeadObjective;
import io.peft4j.models.HeadScores;
import io.peft4j.models.MatrixProduct;
import io.peft4j.models.StepMemory;
import io.peft4j.models.TokenObjective;
import io.peft4j.models.TokenScores;
import java.util.Optional;

/** This project's own decoders, seen as trainers see them. */
record CausalLanguageModel(CausalLm model) implements LanguageModel {

    @Override
    public NDManager manager() {
        return model.manager();
    }

    @Override
    public double[] rowLosses(NDArray ids, NDArray labels) {
        return model.rowLosses(ids, labels);
    }

    @Override
    public double[] backward(NDArray ids, NDArray labels, double divisor) {
        return model.backward(ids, labels, divisor);
    }

    @Override
    public double[] backward(NDArray ids, NDArray mask, NDArray labels, double divisor) {
        return model.backward(ids, mask, labels, divisor);
    }

    @Override
    public TokenScores tokenScores(NDArray ids, NDArray labels, double temperature) {
        return model.tokenScores(ids, labels, temperature);
    }

    @Override
    public TokenScores nextTokenScores(NDArray ids, long[] places, long[] tokens) {
        return model.nextTokenScores(ids, places, tokens);
    }

    @Override
    public TokenScores backward(
            NDArray ids, NDArray mask, NDArray labels, TokenObjective objective, double share) {
        return model.backward(ids, mask, labels, objective, share);
    }

    @Override
    public HeadScores headScores(NDArray ids, NDArray wanted) {
        return model.headScores(ids, wanted);
    }

    @Override
    public HeadScores backwardFromHead(
            NDArray ids, NDArray mask, NDArray wanted, HeadObjective objective, double share) {
        return model.backwardFromHead(ids, mask, wanted, objective, share);
    }

    @Override
    public boolean canCheckpointGradients() {
        return model.canUseLayerKernels();
    }

    @Override
    public void useGradientCheckpointing(boolean on) {
        model.useGradientCheckpointing(on);
    }

    @Override
    public boolean checkpointsGradients() {
        return model.usesGradientCheckpointing();
    }

    @Override
    public Optional<StepMemory> stepMemory(int rows, int length) {
        return model.stepMemory(rows, length);
    }

    @Override
    public void freeStepMemory() {
        model.freeStepMemory();
    }

    @Override
    public Optional<MatrixProduct> matrixProduct() {
        return Optional.of(model.matrixProduct());
    }

    @Override
    public void useMatrixProduct(MatrixProduct product) {
        model.useMatrixProduct(product);
    }
}
