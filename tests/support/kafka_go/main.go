// A Kafka client in Go (franz-go) against the Kafka port, for tests/e2e/kafka_go_test.sh:
//
//	kafka_go BROKERS
//
// Prints what has worked, or what has not and ends with 1. The topics are its own and new.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions   = 4
	perCodec     = 500
	deadline     = 60 * time.Second
	numbers      = "go-numbers"
	moved        = "go-moved"
	readersGroup = "go-readers"
	moversGroup  = "go-movers"
)

var codecs = []kgo.CompressionCodec{
	kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	brokers := kgo.SeedBrokers(os.Args[1])
	steps := []struct {
		name string
		run  func(context.Context, kgo.Opt) error
	}{
		{"create and describe topics", createTopics},
		{"produce with each codec", produce},
		{"consume by a group that rebalances", consumeByGroup},
		{"transactions", moveInTransactions},
		{"list and delete records, groups, topics", deleteAll},
	}
	for _, step := range steps {
		if err := step.run(ctx, brokers); err != nil {
			fmt.Printf("FAILED: %s: %v\n", step.name, err)
			os.Exit(1)
		}
		fmt.Println("ok", step.name)
	}
}

// admin runs what needs kadm's client.
func admin(brokers kgo.Opt, run func(*kadm.Client) error) error {
	client, err := kgo.NewClient(brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	return run(kadm.NewClient(client))
}

func createTopics(ctx context.Context, brokers kgo.Opt) error {
	return admin(brokers, func(client *kadm.Client) error {
		retention := "3600000"
		for _, topic := range []string{numbers, moved} {
			if _, err := client.CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": &retention}, topic); err != nil {
				return err
			}
		}
		if _, err := client.CreateTopic(ctx, 1, 1, nil, numbers); !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("a topic that is there: %v", err)
		}
		topics, err := client.ListTopics(ctx, numbers)
		if err != nil {
			return err
		}
		if found := len(topics[numbers].Partitions); found != partitions {
			return fmt.Errorf("%d partitions", found)
		}
		configs, err := client.DescribeTopicConfigs(ctx, numbers)
		if err != nil {
			return err
		}
		resource, err := configs.On(numbers, nil)
		if err != nil {
			return err
		}
		for _, config := range resource.Configs {
			if config.Key == "retention.ms" && config.MaybeValue() == retention {
				return nil
			}
		}
		return errors.New("retention.ms is not what it was set to")
	})
}

// produce writes the numbers from 0, as each codec's share of them; idempotent, which is the default.
func produce(ctx context.Context, brokers kgo.Opt) error {
	for i, codec := range codecs {
		client, err := kgo.NewClient(brokers, kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(numbers))
		if err != nil {
			return err
		}
		records := make([]*kgo.Record, perCodec)
		for n := range records {
			text := fmt.Appendf(nil, "%d", i*perCodec+n)
			records[n] = &kgo.Record{Key: text, Value: text, Headers: []kgo.RecordHeader{{Key: "h", Value: text}}}
		}
		err = client.ProduceSync(ctx, records...).FirstErr()
		client.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// expectOnce checks that the values are 0 to the number of produced records, each once.
func expectOnce(values []string) error {
	expected := make([]string, perCodec*len(codecs))
	for n := range expected {
		expected[n] = fmt.Sprint(n)
	}
	slices.Sort(expected)
	slices.Sort(values)
	if !slices.Equal(values, expected) {
		return fmt.Errorf("%d values, not each of %d once", len(values), len(expected))
	}
	return nil
}

// consumeByGroup has one member take half of the records; then a second one shares the rest.
func consumeByGroup(ctx context.Context, brokers kgo.Opt) error {
	type assignment struct {
		sync.Mutex
		partitions map[string]map[int32]bool
	}
	assigned := assignment{partitions: map[string]map[int32]bool{"first": {}, "second": {}}}
	join := func(name string) (*kgo.Client, error) {
		set := func(present bool) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
				assigned.Lock()
				defer assigned.Unlock()
				for _, partition := range topics[numbers] {
					if present {
						assigned.partitions[name][partition] = true
					} else {
						delete(assigned.partitions[name], partition)
					}
				}
			}
		}
		return kgo.NewClient(brokers, kgo.ConsumerGroup(readersGroup), kgo.ConsumeTopics(numbers),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.HeartbeatInterval(100*time.Millisecond), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.OnPartitionsAssigned(set(true)), kgo.OnPartitionsRevoked(set(false)), kgo.OnPartitionsLost(set(false)))
	}
	total := perCodec * len(codecs)
	var values []string
	poll := func(client *kgo.Client, most int) error {
		pollCtx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		defer client.AllowRebalance()
		fetches := client.PollRecords(pollCtx, most)
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for _, record := range fetches.Records() {
			if len(record.Headers) != 1 || string(record.Headers[0].Value) != string(record.Key) {
				return fmt.Errorf("the headers of %s", record.Value)
			}
			values = append(values, string(record.Value))
		}
		return client.CommitRecords(ctx, fetches.Records()...)
	}

	first, err := join("first")
	if err != nil {
		return err
	}
	defer first.Close()
	for len(values) < total/2 {
		if err := poll(first, 200); err != nil {
			return err
		}
	}
	second, err := join("second")
	if err != nil {
		return err
	}
	defer second.Close()
	shared := func() bool {
		assigned.Lock()
		defer assigned.Unlock()
		return len(assigned.partitions["first"]) == partitions/2 && len(assigned.partitions["second"]) == partitions/2
	}
	for len(values) < total || !shared() {
		for _, client := range []*kgo.Client{first, second} {
			if err := poll(client, 200); err != nil {
				return err
			}
		}
	}
	return expectOnce(values)
}

// moveInTransactions copies the records, offsets in the transactions, of which every third is aborted.
func moveInTransactions(ctx context.Context, brokers kgo.Opt) error {
	session, err := kgo.NewGroupTransactSession(brokers, kgo.TransactionalID("go-mover"), kgo.ConsumerGroup(moversGroup),
		kgo.ConsumeTopics(numbers), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DefaultProduceTopic(moved),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets())
	if err != nil {
		return err
	}
	defer session.Close()
	done, aborted := 0, 0
	for number := 1; done < perCodec*len(codecs); number++ {
		fetches := session.PollRecords(ctx, 200)
		if err := fetches.Err(); err != nil {
			return err
		}
		if err := session.Begin(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			session.Produce(ctx, &kgo.Record{Value: record.Value}, nil)
		}
		abort := number%3 == 0
		if abort { // else nothing of it would be sent
			if err := session.Client().Flush(ctx); err != nil {
				return err
			}
		}
		committed, err := session.End(ctx, kgo.TransactionEndTry(!abort))
		if err != nil {
			return err
		}
		if committed {
			done += fetches.NumRecords()
		} else if abort {
			aborted += fetches.NumRecords()
		}
	}

	values, err := readToEnd(ctx, brokers, kgo.ReadCommitted())
	if err != nil {
		return err
	}
	if err := expectOnce(values); err != nil {
		return fmt.Errorf("committed records: %w", err)
	}
	values, err = readToEnd(ctx, brokers, kgo.ReadUncommitted())
	if err != nil {
		return err
	}
	if aborted == 0 || len(values) != done+aborted {
		return fmt.Errorf("%d records with those of aborted transactions, not %d + %d", len(values), done, aborted)
	}
	return nil
}

// readToEnd returns the values of the topic that moveInTransactions writes.
func readToEnd(ctx context.Context, brokers kgo.Opt, isolation kgo.IsolationLevel) ([]string, error) {
	var ends kadm.ListedOffsets
	err := admin(brokers, func(client *kadm.Client) (err error) {
		ends, err = client.ListEndOffsets(ctx, moved)
		return err
	})
	if err != nil {
		return nil, err
	}
	// Control records are shown so that a partition's end can be seen: its last record is a marker.
	client, err := kgo.NewClient(brokers, kgo.ConsumeTopics(moved), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var values []string
	missing := 0
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			missing++
		}
	})
	for missing > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for _, record := range fetches.Records() {
			if !record.Attrs.IsControl() {
				values = append(values, string(record.Value))
			}
			if end, _ := ends.Lookup(moved, record.Partition); record.Offset == end.Offset-1 {
				missing--
			}
		}
	}
	return values, nil
}

func deleteAll(ctx context.Context, brokers kgo.Opt) error {
	return admin(brokers, func(client *kadm.Client) error {
		lags, err := client.Lag(ctx, readersGroup, moversGroup)
		if err != nil {
			return err
		}
		for group, lag := range lags {
			if err := lag.Error(); err != nil || lag.State != "Empty" || lag.Lag.Total() != 0 {
				return fmt.Errorf("group %s: %s, lag %d, %v", group, lag.State, lag.Lag.Total(), err)
			}
		}
		ends, err := client.ListEndOffsets(ctx, numbers)
		if err != nil {
			return err
		}
		if _, err := client.DeleteRecords(ctx, ends.Offsets()); err != nil {
			return err
		}
		starts, err := client.ListStartOffsets(ctx, numbers)
		if err != nil {
			return err
		}
		var records int64
		starts.Each(func(start kadm.ListedOffset) { records += start.Offset })
		if records != int64(perCodec*len(codecs)) {
			return fmt.Errorf("the starts of %s add up to %d after all its records were deleted", numbers, records)
		}
		groups, err := client.DeleteGroups(ctx, readersGroup, moversGroup)
		if err := errors.Join(err, groups.Error()); err != nil {
			return err
		}
		topics, err := client.DeleteTopics(ctx, numbers, moved)
		if err := errors.Join(err, topics.Error()); err != nil {
			return err
		}
		left, err := client.ListTopics(ctx)
		if err != nil {
			return err
		}
		if left.Has(numbers) || left.Has(moved) {
			return errors.New("deleted topics are listed")
		}
		return nil
	})
}
