package io.peft4j.models;

import java.util.List;

/** Tells what adapters add to the layers of groups. */
interface UpdateShapes {

    /**
     * Returns what they add to a layer.
     *
     * @param group the layer's group
     * @param layer its index there
     */
    List<LowRankShape> at(LinearGroup group, int layer);
}
