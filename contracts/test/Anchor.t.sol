// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SequencerSet} from "../SequencerSet.sol";
import {VesHashes} from "../VesHashes.sol";
import {AnchorTest} from "./AnchorTest.sol";

contract AnchorSingleTest is AnchorTest {
    function test_startsEmpty() public view {
        eq(anchored.getAnchoredCount(), 0, "count");
        eq(anchored.getLatestSequence(TENANT, STORE), 0, "latest");
        eq(anchored.stateRootOf(TENANT, STORE), 0, "state root");
        require(!anchored.isAnchored("unknown"), "anchored");
    }

    function test_anchorsAStreamInOrder() public {
        Draft memory one = follow(nothing(), 3, "one");
        Draft memory two = follow(one, 1, "two");
        Draft memory three = follow(two, 1024, "three");
        send(FIRST, one);
        send(SECOND, two);
        send(FIRST, three);
        eq(anchored.getAnchoredCount(), 3, "count");
        eq(anchored.getLatestSequence(TENANT, STORE), 1028, "latest");
        eq(anchored.stateRootOf(TENANT, STORE), three.stateRoot, "state root");
        require(anchored.isAnchored(one.batchId) && anchored.isAnchored(three.batchId), "anchored");
        eq(anchored.getLatestSequence(TENANT, OTHER_STORE), 0, "the other stream");
    }

    function test_keepsWhatWasAnchored() public {
        Draft memory one = follow(nothing(), 3, "one");
        Draft memory two = follow(one, 7, "two");
        send(FIRST, one);
        vm.warp(NOW + 12);
        send(SECOND, two);
        vm.prank(OWNER);
        anchored.revokeSequencer(SECOND);
        expectKept(one, NOW, FIRST);
        expectKept(two, NOW + 12, SECOND);
    }

    function expectKept(Draft memory draft, uint256 time, address by) private view {
        bytes memory expected = abi.encode(
            draft.tenantId,
            draft.storeId,
            draft.eventsRoot,
            draft.stateRoot,
            draft.start,
            draft.end,
            draft.count,
            time,
            by
        );
        (bool found, bytes memory kept) =
            address(anchored).staticcall(abi.encodeCall(anchored.getCommitment, (draft.batchId)));
        require(found && keccak256(kept) == keccak256(expected), "commitment");
    }

    function test_getCommitmentOfAnUnknownBatch() public {
        vm.expectRevert(abi.encodeWithSelector(NotAnchored.selector, bytes32("unknown")));
        anchored.getCommitment("unknown");
    }

    function test_saysWhatItAnchored() public {
        Draft memory one = follow(nothing(), 3, "one");
        vm.expectEmit(address(anchored));
        emit CommitmentAnchored(
            one.batchId, TENANT, STORE, one.eventsRoot, one.stateRoot, one.start, one.end, one.count, NOW
        );
        send(FIRST, one);
    }

    function test_refusesStrangers() public {
        Draft memory one = follow(nothing(), 3, "one");
        sendRefused(STRANGER, one, abi.encodeWithSelector(SequencerSet.SequencerNotAuthorized.selector, STRANGER));
        sendRefused(OWNER, one, abi.encodeWithSelector(SequencerSet.SequencerNotAuthorized.selector, OWNER));
    }

    function test_refusesAFirstBatchThatDoesNotStartAtOne() public {
        for (uint64 start = 0; start < 4; start += 2) {
            Draft memory one = follow(nothing(), 3, "one");
            (one.start, one.end) = (start, start + 2);
            one.stateRoot = rootAfter(0, one);
            sendRefused(FIRST, one, abi.encodeWithSelector(UnexpectedStart.selector, one.batchId, 1, start));
        }
    }

    function test_refusesGapsAndOverlaps() public {
        Draft memory one = follow(nothing(), 3, "one");
        send(FIRST, one);
        uint64[4] memory starts = [uint64(1), 3, 5, type(uint64).max];
        for (uint256 i = 0; i < starts.length; i++) {
            Draft memory two = follow(one, 1, "two");
            (two.start, two.end) = (starts[i], starts[i]);
            two.stateRoot = rootAfter(one.stateRoot, two);
            sendRefused(FIRST, two, abi.encodeWithSelector(UnexpectedStart.selector, two.batchId, 4, starts[i]));
        }
    }

    function test_refusesAForkBySomeoneElse() public {
        Draft memory one = follow(nothing(), 3, "one");
        send(FIRST, one);
        Draft memory fork = follow(nothing(), 3, "fork");
        sendRefused(SECOND, fork, abi.encodeWithSelector(UnexpectedStart.selector, fork.batchId, 4, 1));
        fork = follow(one, 2, "fork");
        bytes32 expected = fork.stateRoot;
        fork.stateRoot = rootAfter(keccak256("another history"), fork);
        sendRefused(
            SECOND, fork, abi.encodeWithSelector(UnexpectedStateRoot.selector, fork.batchId, expected, fork.stateRoot)
        );
    }

    function test_refusesAnIdTwice() public {
        Draft memory one = follow(nothing(), 3, "one");
        send(FIRST, one);
        bytes memory because = abi.encodeWithSelector(AlreadyAnchored.selector, one.batchId);
        sendRefused(FIRST, one, because);
        sendRefused(FIRST, follow(one, 3, "one"), because);
        sendRefused(FIRST, draftAfter(OTHER_STORE, nothing(), 3, "one"), because);
    }

    function test_refusesCountsThatAreNotTheRanges() public {
        Draft memory one = follow(nothing(), 3, "one");
        one.count = 0;
        sendRefused(FIRST, one, abi.encodeWithSelector(EmptyBatch.selector, one.batchId));
        for (uint32 count = 2; count < 5; count += 2) {
            one.count = count;
            sendRefused(FIRST, one, abi.encodeWithSelector(UnexpectedCount.selector, one.batchId, 3, count));
        }
        (one.start, one.end, one.count) = (2, 1, 1);
        sendRefused(FIRST, one, abi.encodeWithSelector(EndBeforeStart.selector, one.batchId, 2, 1));
        (one.start, one.end, one.count) = (0, type(uint64).max, 1);
        sendRefused(FIRST, one, abi.encodeWithSelector(UnexpectedCount.selector, one.batchId, 2 ** 64, 1));
    }

    function test_anchorsTheLargestCount() public {
        Draft memory one = follow(nothing(), type(uint32).max, "one");
        send(FIRST, one);
        eq(anchored.getLatestSequence(TENANT, STORE), type(uint32).max, "latest");
        (,,,,, uint64 end, uint32 count,,) = anchored.getCommitment(one.batchId);
        require(end == one.end && count == one.count, "range");
    }

    function test_refusesIdsThatAreNotUuids() public {
        bytes32 bad = bytes32(uint256(TENANT) | 1);
        bytes memory because = abi.encodeWithSelector(VesHashes.NotAUuid.selector, bad);
        Draft memory one = follow(nothing(), 3, "one");
        one.tenantId = bad;
        sendRefused(FIRST, one, because);
        (one.tenantId, one.storeId) = (TENANT, bad);
        sendRefused(FIRST, one, because);
        vm.expectRevert(because);
        anchored.stateRootOf(bad, STORE);
        vm.expectRevert(because);
        anchored.getLatestSequence(TENANT, bad);
    }

    function test_verifyEventsRoot() public {
        Draft memory one = follow(nothing(), 3, "one");
        send(FIRST, one);
        require(anchored.verifyEventsRoot(one.batchId, one.eventsRoot), "root");
        require(!anchored.verifyEventsRoot(one.batchId, one.stateRoot), "another root");
        require(!anchored.verifyEventsRoot("unknown", 0), "unknown batch");
    }
}
