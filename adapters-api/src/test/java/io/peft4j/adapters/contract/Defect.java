package io.peft4j.adapters.contract;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdapterState;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.LoggerFactory;

/** Ways in which a method can be wrong, and the behaviours that tell. */
enum Defect {
    FAST_FORM_SCALED_TWICE(
            "theFastFormEqualsTheEffectiveWeightForwardAndBackward",
            "mergedWeightsGiveTheAdaptedOutput",
            "severalAdaptersMergedGiveTheirOutputTogether") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    NDArray update = super.linearUpdate(x, base, w, store, training);
                    return update.add(update);
                }
            };
        }
    },
    NOT_THE_IDENTITY_AT_FIRST(
            "aNewAdapterLeavesEveryBitOfTheOutput", "aNewAdapterMergesToTheVeryWeights") {
        @Override
        AdapterState in(AdapterState good) {
            Parameter b = good.parameters().get("plain_B.weight");
            try (NDArray values = b.getArray().getManager().full(b.getShape(), 0.1f)) {
                AdapterCase.set(b, values);
            }
            return good;
        }
    },
    GRADIENT_DETACHED(
            "trainingReachesEveryAdapterParameterAndNoFrozenOne",
            "gradientsEqualFiniteDifferences",
            "theFastFormEqualsTheEffectiveWeightForwardAndBackward") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    // keeps a graph, but of the input alone
                    NDArray update = super.linearUpdate(x, base, w, store, training);
                    return update.stopGradient().add(base).sub(base);
                }
            };
        }
    },
    FAST_FORM_LEAKS("forwardsAndStepsLeaveNoArraysBehind") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    leak(this);
                    return super.linearUpdate(x, base, w, store, training);
                }
            };
        }
    },
    EFFECTIVE_WEIGHT_LEAKS("forwardsAndStepsLeaveNoArraysBehind") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray effectiveWeight(
                        NDArray weight, ParameterStore store, boolean training) {
                    leak(this);
                    return super.effectiveWeight(weight, store, training);
                }
            };
        }
    },
    CLOSE_FREES_NOTHING("aClosedStateHasFreedAllItMadeAndMayBeClosedAgain") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public void close() {
                    // nothing
                }
            };
        }
    },
    CLOSE_FAILS_THE_SECOND_TIME("aClosedStateHasFreedAllItMadeAndMayBeClosedAgain") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public void close() {
                    parameters().values().forEach(p -> p.getArray().close());
                    super.close();
                }
            };
        }
    },
    KEYS_OF_ITS_OWN(
            "whatIsSavedComesBackBitForBit",
            "anAdapterOfANarrowBaseIsSavedInFull",
            "addingAndDeletingLeavesNoArraysBehind") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public Map<String, Parameter> parameters() {
                    Map<String, Parameter> renamed = new LinkedHashMap<>();
                    super.parameters().forEach((key, p) -> renamed.put("own_" + key, p));
                    return renamed;
                }
            };
        }
    },
    ALWAYS_IN_TRAINING("dropoutActsInTrainingOnly") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    return super.linearUpdate(x, base, w, store, true);
                }
            };
        }
    },
    NEVER_IN_TRAINING("dropoutActsInTrainingOnly") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    return super.linearUpdate(x, base, w, store, false);
                }
            };
        }
    },
    WRITES_INTO_THE_BASE(
            "theEffectiveWeightIsAFloat32MatrixOfTheFrozenOnesShape",
            "aDisabledAdapterIsTheBaseModelAlsoNestedAndAfterAnException") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray effectiveWeight(
                        NDArray weight, ParameterStore store, boolean training) {
                    weight.muli(1.001f);
                    return super.effectiveWeight(weight, store, training);
                }
            };
        }
    },
    GRAPH_KEEPS_A_JAVA_BUFFER("aGarbageCollectionBetweenAFormAndItsBackwardChangesNothing") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public NDArray linearUpdate(
                        NDArray x,
                        NDArray base,
                        NDArray w,
                        ParameterStore store,
                        boolean training) {
                    float[] ones = new float[(int) w.getShape().get(0)];
                    Arrays.fill(ones, 1);
                    NDArray update = super.linearUpdate(x, base, w, store, training);
                    try (NDArray inJava = x.getManager().create(ones, new Shape(ones.length))) {
                        return update.mul(inJava);
                    }
                }
            };
        }
    },
    EVERY_SITE_THE_SAME("theSameSeedGivesTheSameValuesAndSitesDiffer") {
        @Override
        long seed(long given) {
            return 1;
        }
    },
    SAVES_ANOTHER_RANK("whatIsSavedComesBackBitForBit", "addingAndDeletingLeavesNoArraysBehind") {
        @Override
        int savedRank(int rank) {
            return rank + 1;
        }
    },
    LOGS_A_WARNING("closingTwiceFreesOnceAndGivesTheBaseBack") {
        @Override
        AdapterState in(AdapterState good) {
            return new DelegatingState(good) {
                @Override
                public void close() {
                    LoggerFactory.getLogger(Defect.class).warn("closed by a broken method");
                    super.close();
                }
            };
        }
    };

    private final List<String> behaviours;

    Defect(String... behaviours) {
        this.behaviours = List.of(behaviours);
    }

    /** The behaviours that a method with this defect does not show. */
    List<String> behaviours() {
        return behaviours;
    }

    /** Builds the defect into a state. */
    AdapterState in(AdapterState good) {
        return good;
    }

    /** The seed that is used instead of the given one. */
    long seed(long given) {
        return given;
    }

    /** The rank that is saved. */
    int savedRank(int rank) {
        return rank;
    }

    /** Leaves an array with the parameters, as operations on them do. */
    private static void leak(AdapterState state) {
        for (Parameter parameter : state.parameters().values()) {
            parameter.getArray().transpose();
        }
    }
}
