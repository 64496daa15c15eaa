package io.peft4j.ia3;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.Site;

/** Which weights (IA)³ adapts: those of linear layers and convolutions, as PEFT. */
final class SiteCheck {

    private SiteCheck() {}

    /** Refuses a site, with what could be done. */
    static void requireFits(Site site, boolean feedforward) {
        switch (site.kind()) {
            case LINEAR, CONV -> {}
            case GROUPED_CONV -> {
                if (feedforward) {
                    throw refused(
                            site,
                            "a convolution in groups, whose inputs (IA)³ does not scale here; leave"
                                    + " it out of feedforward_modules");
                }
            }
            case EMBEDDING ->
                    throw refused(
                            site, "an embedding, but (IA)³ adapts linear layers and convolutions");
            case MATRIX -> {
                if (!site.transposed()) {
                    throw refused(
                            site,
                            "no linear layer's weight; (IA)³ adapts one that is stored (in, out),"
                                    + " as GPT-2's, with fan_in_fan_out");
                }
            }
        }
    }

    private static AdapterConfigException refused(Site site, String why) {
        return new AdapterConfigException(site.path() + " is " + why);
    }
}
