// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SequencerSet} from "../SequencerSet.sol";
import {AnchorTest} from "./AnchorTest.sol";

contract AnchorBatchTest is AnchorTest {
    struct Lists {
        bytes32[] batchIds;
        bytes32[] tenantIds;
        bytes32[] storeIds;
        bytes32[] eventsRoots;
        bytes32[] stateRoots;
        uint64[] starts;
        uint64[] ends;
        uint32[] counts;
    }

    function listsOf(Draft[] memory drafts) private pure returns (Lists memory lists) {
        uint256 n = drafts.length;
        lists.batchIds = new bytes32[](n);
        lists.tenantIds = new bytes32[](n);
        lists.storeIds = new bytes32[](n);
        lists.eventsRoots = new bytes32[](n);
        lists.stateRoots = new bytes32[](n);
        lists.starts = new uint64[](n);
        lists.ends = new uint64[](n);
        lists.counts = new uint32[](n);
        for (uint256 i = 0; i < n; i++) {
            lists.batchIds[i] = drafts[i].batchId;
            lists.tenantIds[i] = drafts[i].tenantId;
            lists.storeIds[i] = drafts[i].storeId;
            lists.eventsRoots[i] = drafts[i].eventsRoot;
            lists.stateRoots[i] = drafts[i].stateRoot;
            lists.starts[i] = drafts[i].start;
            lists.ends[i] = drafts[i].end;
            lists.counts[i] = drafts[i].count;
        }
    }

    function sendAll(address sender, Lists memory lists) private {
        vm.prank(sender);
        anchored.anchorBatch(
            lists.batchIds,
            lists.tenantIds,
            lists.storeIds,
            lists.eventsRoots,
            lists.stateRoots,
            lists.starts,
            lists.ends,
            lists.counts
        );
    }

    /// @dev Two batches of one stream and, between them, one of another.
    function three() private pure returns (Draft[] memory drafts) {
        drafts = new Draft[](3);
        drafts[0] = follow(nothing(), 3, "one");
        drafts[1] = draftAfter(OTHER_STORE, nothing(), 5, "other");
        drafts[2] = follow(drafts[0], 2, "two");
    }

    function expectNothing() private view {
        eq(anchored.getAnchoredCount(), 0, "count");
        eq(anchored.getLatestSequence(TENANT, STORE), 0, "latest");
        eq(anchored.stateRootOf(TENANT, OTHER_STORE), 0, "state root");
    }

    function test_anchorsSeveralStreams() public {
        Draft[] memory drafts = three();
        bytes32 batchRoot = keccak256(bytes.concat(drafts[0].batchId, drafts[1].batchId, drafts[2].batchId));
        for (uint256 i = 0; i < 3; i++) {
            Draft memory draft = drafts[i];
            vm.expectEmit(address(anchored));
            emit CommitmentAnchored(
                draft.batchId,
                draft.tenantId,
                draft.storeId,
                draft.eventsRoot,
                draft.stateRoot,
                draft.start,
                draft.end,
                draft.count,
                NOW
            );
        }
        vm.expectEmit(address(anchored));
        emit BatchAnchored(batchRoot, 3, NOW);
        sendAll(FIRST, listsOf(drafts));
        eq(anchored.getAnchoredCount(), 3, "count");
        eq(anchored.getLatestSequence(TENANT, STORE), 5, "latest");
        eq(anchored.getLatestSequence(TENANT, OTHER_STORE), 5, "latest of the other");
        eq(anchored.stateRootOf(TENANT, STORE), drafts[2].stateRoot, "state root");
        eq(anchored.stateRootOf(TENANT, OTHER_STORE), drafts[1].stateRoot, "state root of the other");
    }

    function test_allOrNothing() public {
        Draft[] memory drafts = three();
        bytes32 expected = drafts[2].stateRoot;
        drafts[2].stateRoot = keccak256("wrong");
        vm.expectRevert(
            abi.encodeWithSelector(UnexpectedStateRoot.selector, drafts[2].batchId, expected, drafts[2].stateRoot)
        );
        sendAll(FIRST, listsOf(drafts));
        expectNothing();
    }

    function test_refusesAStreamOutOfOrder() public {
        Draft[] memory drafts = three();
        (drafts[0], drafts[2]) = (drafts[2], drafts[0]);
        vm.expectRevert(abi.encodeWithSelector(UnexpectedStart.selector, drafts[0].batchId, 1, 4));
        sendAll(FIRST, listsOf(drafts));
        expectNothing();
    }

    function test_refusesAnIdTwiceInOneCall() public {
        Draft[] memory drafts = three();
        drafts[2].batchId = drafts[0].batchId;
        vm.expectRevert(abi.encodeWithSelector(AlreadyAnchored.selector, drafts[0].batchId));
        sendAll(FIRST, listsOf(drafts));
        expectNothing();
    }

    function test_refusesStrangers() public {
        Draft[] memory drafts = three();
        vm.expectRevert(abi.encodeWithSelector(SequencerSet.SequencerNotAuthorized.selector, STRANGER));
        sendAll(STRANGER, listsOf(drafts));
    }

    function test_refusesEmptyLists() public {
        vm.expectRevert(abi.encodeWithSelector(NothingToAnchor.selector));
        sendAll(FIRST, listsOf(new Draft[](0)));
    }

    function test_refusesUnequalLists() public {
        for (uint256 list = 0; list < 8; list++) {
            Lists memory lists = listsOf(three());
            if (list == 0) lists.batchIds = new bytes32[](2);
            if (list == 1) lists.tenantIds = new bytes32[](2);
            if (list == 2) lists.storeIds = new bytes32[](2);
            if (list == 3) lists.eventsRoots = new bytes32[](2);
            if (list == 4) lists.stateRoots = new bytes32[](2);
            if (list == 5) lists.starts = new uint64[](2);
            if (list == 6) lists.ends = new uint64[](2);
            if (list == 7) lists.counts = new uint32[](2);
            (uint256 expected, uint256 given) = list == 0 ? (2, 3) : (3, 2);
            vm.expectRevert(abi.encodeWithSelector(UnequalLengths.selector, expected, given));
            sendAll(FIRST, lists);
        }
    }
}
