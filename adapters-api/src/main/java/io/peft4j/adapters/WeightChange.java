package io.peft4j.adapters;

/**
 * How a merge changed a weight.
 *
 * @param largest the largest absolute change of one element
 * @param norm the Frobenius norm of the change
 * @param before the Frobenius norm of the weight before
 * @param finite whether all new elements are finite
 */
public record WeightChange(double largest, double norm, double before, boolean finite) {

    /** The change by the weight; a weight of zeros, as a new bias is, changes by what there is. */
    double relative() {
        return norm == 0 ? 0 : norm / (before == 0 ? norm : before);
    }
}
