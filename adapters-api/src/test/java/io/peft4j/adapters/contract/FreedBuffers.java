package io.peft4j.adapters.contract;

import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;

/** What a graph keeps must not lie in a Java buffer that nothing refers to any more. */
public final class FreedBuffers {

    private FreedBuffers() {}

    /** Has unused Java buffers freed, and writes over their memory. */
    public static void overwrite() throws InterruptedException {
        BufferPoolMXBean buffers =
                ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).get(0);
        long before = buffers.getCount();
        ByteBuffer.allocateDirect(4); // at least one of no more use
        System.gc();
        long last = Long.MAX_VALUE;
        for (int i = 0; i < 100 && (last > before || buffers.getCount() < last); i++) {
            last = buffers.getCount();
            Thread.sleep(2); // another thread frees them
        }
        for (int i = 0; i < 2000; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(4 + i % 60);
            while (buffer.hasRemaining()) {
                buffer.put((byte) 0x5a);
            }
        }
    }
}
